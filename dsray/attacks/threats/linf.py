"""The L-inf ball: every number of the input may move by epsilon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from dsray.attacks.threats.threat import Movable, Threat, ThreatConfig
from dsray.base.batch import Batch
from dsray.base.noise import uniform_torch


class LinfConfig(ThreatConfig):
    """No number of the input moves by more than epsilon, in the units of its range (8/255, not 8)."""

    kind: Literal["linf"] = "linf"

    @property
    def units(self) -> str:
        return f"L-inf, in units of {self.whom}"

    @property
    def radius(self) -> str:
        return "in input-range units"

    def largest(self, widths: Sequence[tuple[float, float]]) -> float:
        return max(width for _, width in widths)

    def build(self, input: str, tensors: Mapping[str, Movable]) -> Threat:
        return Linf(self, input, tensors)


class Linf(Threat):
    """Boxes around the clean values; see `Threat`."""

    def start(self, batch: Batch, epsilon: float, key: int) -> Tensor:
        clean = self.read(batch)
        offset = uniform_torch(key, batch.rows, batch.epochs, tuple(clean.shape[1:])).mul_(2.0).sub_(1.0)
        return self.project(clean + epsilon * offset.to(clean.dtype), clean, epsilon)

    def project(self, moved: Tensor, clean: Tensor, epsilon: float) -> Tensor:
        low, high = self.limits(clean)
        return torch.clamp(moved, (clean - epsilon).clamp_(min=low), (clean + epsilon).clamp_(max=high))

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign()

    def push(self, moved: Tensor, clean: Tensor, toward: Tensor, epsilon: float) -> Tensor:
        return torch.where(toward != 0, self.project(clean + epsilon * toward, clean, epsilon), moved)
