"""AdamW (Loshchilov & Hutter 2019)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from dsray.optim.optimizer import OptimizerConfig


class AdamWConfig(OptimizerConfig):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.99, ge=0, lt=1, description="decay of the mean squared gradient")
    eps: float = Field(1e-8, gt=0, description="added to the root of the squared gradient")

    def make(self, groups: list[dict]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=0.0, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)
