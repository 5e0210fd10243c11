"""The gradient of a loss in the images, leaving no gradient anywhere else."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.ball import IMAGE
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss


def image_gradient(model: Classifier, batch: Batch, image: Tensor, loss: RowLoss) -> tuple[Tensor, Tensor]:
    """Logits (batch, classes) of the rows with `image` in place of theirs, and the gradient of their loss in `image`.

    Raises RequestError where the model gives no gradient at all, since a robustness found so would mean nothing.
    """
    image = image.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(batch.with_input(IMAGE, image))
        total = loss(logits, batch.target).sum()
    if not total.requires_grad:
        raise RequestError("attack: needs gradients and this model gives none; use kind 'random_search'")
    (gradient,) = torch.autograd.grad(total, image, allow_unused=True, materialize_grads=True)
    return logits.detach(), gradient
