"""The runner: attacks propose, it owns ball and range and what may not be touched."""

from __future__ import annotations

import torch
from torch import nn

from dsray.attacks.config import Attack, attack_name, check_call
from dsray.attacks.threats.given import Given, threat_to
from dsray.attacks.untouched import buffers_kept
from dsray.base import RequestError, RunFailure
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss, as_classifier


def perturb(
    attack: Attack,
    model: nn.Module | Classifier,
    batch: Batch,
    epsilon: float,
    *,
    threat: Given = None,
    loss: RowLoss | None = None,
    seed: int = 0,
    stop_early: bool = False,
) -> Batch:
    """The batch with each row moved by `attack` inside the ball of radius `epsilon` and the range of the input.

    threat: what may move and how far; L-inf unless given, on the only input of floats, which lie in [0, 1]. loss: what
    the attack climbs instead of its own. stop_early: leave a row as soon as its answer is wrong; for judging, not for
    training. Only the input of the threat changes; rows without it stay as they are, and so do the model's mode, buffers,
    parameters and their gradients. Raises RequestError for an epsilon that the threat refuses or a batch without the
    input, or an attack that is called otherwise, RunFailure for one that gives other shapes or numbers that are not finite.
    """
    threat = threat_to(batch, threat)
    threat.check_radius(epsilon)
    if not threat.reads(batch):
        raise RequestError(f"attack: needs {threat.input}s; the batch has {', '.join(batch.inputs) or 'no input'}")
    if epsilon == 0 or len(batch) == 0:
        return batch
    clean = threat.read(batch)
    with buffers_kept(model):
        classify = as_classifier(model, threat.tensors)
        try:
            proposed = attack(classify, batch, threat, epsilon, loss, seed=seed, stop_early=stop_early)
        except TypeError:
            check_call(attack)
            raise
    if not isinstance(proposed, Batch):
        raise RunFailure(f"attack: {attack_name(attack)} gave a {type(proposed).__name__}; it must give a Batch")
    moved = threat.read(proposed).detach()
    if moved.shape != clean.shape or not torch.isfinite(moved).all():
        raise RunFailure(f"attack: {attack_name(attack)} gave {threat.input}s of another shape or that are not finite")
    moved = threat.project(moved, clean, epsilon)
    if threat.input in batch.present:
        there = threat.there(batch).reshape(-1, *[1] * (moved.ndim - 1))
        moved = torch.where(there, moved, clean)
    return threat.write(batch, moved)
