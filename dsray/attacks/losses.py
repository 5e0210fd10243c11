"""What an attack climbs, row by row, and when it has won."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.protocols import RowLoss

LossName = Literal["cross_entropy", "margin"]

SHARPNESS = 6.0
"""Standard deviation to which `scaled_cross_entropy` brings the logits of a row; trained networks have 4 to 8."""


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): -log of the probability of the true class; 0 where the target is unknown (-1).

    Its gradient vanishes where the model is certain: to judge, climb `scaled_cross_entropy`.
    """
    return F.cross_entropy(logits, target, reduction="none", ignore_index=-1)


def scaled_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): mean of the other logits, weighted by the probabilities they would have alone, minus the true one.

    The weights are constants, of logits brought to one standard deviation per row. The gradient of cross-entropy is
    1 - p_true times the gradient of this at the logits' own scale: the same direction, which neither vanishes where
    p_true is 1 nor changes when all logits are multiplied by a number (Carlini & Wagner 2017 and Croce & Hein 2020 on
    why it must not). In units of the logits; 0 where the target is unknown (-1).
    """
    true = target.clamp(min=0)[:, None]
    others = logits.detach().scatter(1, true, float("-inf"))
    spread = logits.detach().std(1, correction=0, keepdim=True)
    weights = (SHARPNESS * others / torch.where(spread > 0, spread, 1.0)).softmax(1)
    gap = (weights * logits).sum(1) - logits.gather(1, true)[:, 0]
    return torch.where(target >= 0, gap, 0.0)


def margin(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): best other logit minus the true one, positive where the answer is wrong (Carlini & Wagner 2017).

    target: (batch,) in [0, classes).
    """
    true = target[:, None]
    others = logits.scatter(1, true, float("-inf"))
    return others.amax(1) - logits.gather(1, true)[:, 0]


def fallen(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,) bool: the answer is not the target, or is not a number."""
    return (logits.argmax(1) != target) | torch.isnan(logits).any(1)


IN_TRAINING: dict[LossName, RowLoss] = {"cross_entropy": cross_entropy, "margin": margin}
"""Training minimises cross-entropy at the scale of its own logits, and its attacks climb what it minimises (Madry et al.
2018). A row that the model is so certain of that its gradient vanishes teaches nothing in either form."""

LOSSES: dict[LossName, RowLoss] = {"cross_entropy": scaled_cross_entropy, "margin": margin}
