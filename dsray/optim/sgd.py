"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator

from dsray.optim.optimizer import OptimizerConfig


class SgdConfig(OptimizerConfig):
    """SGD, optionally with (Nesterov) momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last update that is kept")
    nesterov: bool = Field(False, description="look ahead along the momentum; needs momentum > 0")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SgdConfig:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum > 0")
        return self

    def make(self, groups: list[dict]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov)
