"""The L-inf ball: projection and random starts."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.base.batch import Batch
from dsray.base.noise import uniform_torch

IMAGE = "image"
"""The modality that attacks move."""


def project_linf(x_adv: Tensor, x: Tensor, epsilon: float) -> Tensor:
    """Clip x_adv to the L-inf ball around x and to [0, 1].

    x_adv, x: (batch, channel, height, width), x in [0, 1]. epsilon: radius in the same units (8/255, not 8).
    """
    return torch.clamp(x_adv, (x - epsilon).clamp_(min=0.0), (x + epsilon).clamp_(max=1.0))


def random_start(batch: Batch, epsilon: float, key: int) -> Tensor:
    """A uniform draw from the ball for each row, a function of (key, row, epoch) alone."""
    x = batch.inputs[IMAGE]
    offset = uniform_torch(key, batch.rows, batch.epochs, tuple(x.shape[1:])).mul_(2.0).sub_(1.0)
    return project_linf(x + epsilon * offset.to(x.dtype), x, epsilon)
