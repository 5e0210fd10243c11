"""What an attack climbs, row by row, and when it has won."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.protocols import RowLoss

LossName = Literal["cross_entropy", "margin"]


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): -log of the probability of the true class; 0 where the target is unknown (-1)."""
    return F.cross_entropy(logits, target, reduction="none", ignore_index=-1)


def margin(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): best other logit minus the true one, positive where the answer is wrong (Carlini & Wagner 2017).

    Unlike cross-entropy it keeps its gradient where the model is certain. target: (batch,) in [0, classes).
    """
    true = target[:, None]
    others = logits.scatter(1, true, float("-inf"))
    return others.amax(1) - logits.gather(1, true)[:, 0]


def fallen(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,) bool: the answer is not the target, or is not a number."""
    return (logits.argmax(1) != target) | torch.isnan(logits).any(1)


LOSSES: dict[LossName, RowLoss] = {"cross_entropy": cross_entropy, "margin": margin}
