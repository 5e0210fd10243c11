"""The gradient of a loss in what a threat may move, leaving no gradient anywhere else."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.threats import Threat
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss


def input_gradient(
    model: Classifier, batch: Batch, threat: Threat, values: Tensor, loss: RowLoss
) -> tuple[Tensor, Tensor]:
    """Logits (batch, classes) of the rows with `values` in place of theirs, and the gradient of their loss in `values`.

    Raises RequestError where the model gives no gradient at all, since a robustness found so would mean nothing.
    """
    values = values.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(threat.write(batch, values))
        total = loss(logits, batch.target).sum()
    if not total.requires_grad:
        raise RequestError("attack: needs gradients and this model gives none; use kind 'random_search'")
    (gradient,) = torch.autograd.grad(total, values, allow_unused=True, materialize_grads=True)
    return logits.detach(), gradient
