"""Answers must be numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.base import RequestError


def check_finite(logits: Tensor) -> None:
    """A RequestError unless all logits are floats that are finite. logits: (rows, outputs)."""
    if not logits.is_floating_point():
        raise RequestError(f"model: gives {logits.dtype}; needs logits, which are floats")
    finite = torch.isfinite(logits).all(1)
    if not finite.all():
        raise RequestError(f"model: gives logits that are not finite on {int((~finite).sum())} of {len(logits)} rows")
