"""The runner: attacks propose, it owns the ball, the range and what may not be touched."""

from __future__ import annotations

import torch
from torch import nn

from dsray.attacks.ball import IMAGE, project_linf
from dsray.attacks.epsilon import check_epsilon
from dsray.attacks.untouched import buffers_kept
from dsray.base import RequestError, RunFailure
from dsray.base.batch import Batch
from dsray.base.protocols import Attack, Classifier, RowLoss, as_classifier


def perturb(
    attack: Attack,
    model: nn.Module | Classifier,
    batch: Batch,
    epsilon: float,
    *,
    loss: RowLoss | None = None,
    seed: int = 0,
    stop_early: bool = False,
) -> Batch:
    """The batch with each image moved by `attack` inside the L-inf ball of radius `epsilon` and the range [0, 1].

    loss: what the attack climbs instead of its own. stop_early: leave a row as soon as its answer is wrong; for
    judging, not for training. Only the image changes; rows without an image stay as they are, and so do the model's
    mode, buffers, parameters and their gradients. Raises RequestError for an epsilon outside [0, 1] or a batch without
    images, RunFailure for an attack that gives other shapes or numbers that are not finite.
    """
    check_epsilon(epsilon)
    if IMAGE not in batch.inputs:
        raise RequestError(f"attack: needs images; the batch has {', '.join(batch.inputs) or 'no input'}")
    if epsilon == 0 or len(batch) == 0:
        return batch
    clean = batch.inputs[IMAGE]
    with buffers_kept(model):
        proposed = attack(as_classifier(model), batch, epsilon, loss, seed=seed, stop_early=stop_early)
    image = proposed.inputs[IMAGE].detach()
    if image.shape != clean.shape or not torch.isfinite(image).all():
        raise RunFailure(f"attack: {type(attack).__name__} gave images of another shape or that are not finite")
    image = project_linf(image, clean, epsilon)
    if IMAGE in batch.present:
        image = torch.where(batch.present[IMAGE][:, None, None, None], image, clean)
    return batch.with_input(IMAGE, image)
