"""Routed feed-forward: each sample (or token) runs only the experts that its router chose.

Balanced without an auxiliary loss: a bias steers the choice and never the weight (DeepSeek-V3, arXiv 2412.19437).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base import Config


class ExpertsConfig(Config):
    """The experts of every block."""

    count: int = Field(4, ge=2, le=256, description="experts of a block")
    top_k: int = Field(1, ge=1, description="experts that each sample or token runs")
    hidden: int = Field(128, ge=8, multiple_of=8, description="hidden width of an expert")
    per: Literal["sample", "token"] = Field("sample", description="what chooses: a whole sample, or each token")
    shared: bool = Field(True, description="keep the dense feed-forward beside the experts, run by all")
    balance_rate: float = Field(1e-3, ge=0, description="step of the balancing bias after each batch")

    @model_validator(mode="after")
    def _enough(self) -> ExpertsConfig:
        if self.top_k > self.count:
            raise ValueError(f"top_k {self.top_k} is more than the {self.count} experts")
        return self


class Experts(nn.Module):
    """(batch, tokens, width) -> the chosen experts' weighted sum in the same shape, and the load.

    The sigmoid affinity weighs an expert's answer; affinity + bias chooses it. `bias` and `load_total` are state.
    """

    bias: Tensor
    load_total: Tensor

    def __init__(self, width: int, config: ExpertsConfig):
        super().__init__()
        self.config = config
        count, hidden = config.count, config.hidden
        self.router = nn.Linear(width, count, bias=False)
        self.up = nn.Parameter(torch.empty(count, width, hidden))
        self.up_bias = nn.Parameter(torch.zeros(count, hidden))
        self.down = nn.Parameter(torch.empty(count, hidden, width))
        self.down_bias = nn.Parameter(torch.zeros(count, width))
        for weight in (self.up, self.down):
            nn.init.uniform_(weight, -(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)
        self.register_buffer("bias", torch.zeros(count))
        self.register_buffer("load_total", torch.zeros(count, dtype=torch.int64))

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """tokens (batch, tokens, width), mask (batch, tokens) bool -> (same shape, load (experts,) int64).

        Tokens that are masked do not count as load.
        """
        rows, length, width = tokens.shape
        chosen, weight = self.choose(tokens, mask)
        units = tokens if self.config.per == "sample" else tokens.reshape(rows * length, 1, width)
        mixed = self._run(units, chosen, weight).reshape(rows, length, width)
        counted = chosen if self.config.per == "sample" else chosen[mask.reshape(-1)]
        return mixed, torch.bincount(counted.reshape(-1), minlength=self.config.count)

    def choose(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(units, top_k) expert indices and weights; a unit is a sample or a token."""
        if self.config.per == "sample":
            seen = mask[..., None].to(tokens.dtype)
            summary = (tokens * seen).sum(1) / seen.sum(1)
        else:
            summary = tokens.reshape(-1, tokens.shape[-1])
        with _full_precision(summary.device):
            affinity = torch.sigmoid(self.router(summary.to(self.router.weight.dtype)))
        chosen = (affinity + self.bias).topk(self.config.top_k, dim=-1).indices
        weight = affinity.gather(-1, chosen)
        if self.config.top_k > 1:
            weight = weight / weight.sum(-1, keepdim=True)
        return chosen, weight

    def _run(self, units: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
        """Units sorted by expert, one grouped product per layer, and back.

        units (n, length, width); chosen, weight (n, top_k).
        """
        # A loop over experts would ask the device for the size of each share and start two small products per expert. Sorted
        # by expert, the rows of one lie together and a single grouped product takes all shares, empty ones included. The
        # sort is stable: rows of an expert keep the order of the batch, whatever the others chose.
        length, width = units.shape[1:]
        expert = chosen.reshape(-1)
        order = expert.argsort(stable=True)
        unit = order // self.config.top_k  # every unit stands `top_k` times in a row in `expert`
        # the product counts rows, of which a unit has `length`, in int32
        ends = (torch.bincount(expert, minlength=self.config.count) * length).cumsum(0).to(torch.int32)
        # it has no bias, so each row looks up that of its expert
        which = expert[order].repeat_interleave(length) if length > 1 else expert[order]
        x = units[unit].reshape(-1, width)
        hidden = F.gelu(_grouped(x, self.up, ends) + self.up_bias[which])
        answer = (_grouped(hidden, self.down, ends) + self.down_bias[which]).reshape(-1, length, width)
        answer = answer * weight.reshape(-1)[order][:, None, None]
        return torch.zeros_like(units).index_add(0, unit, answer.to(units.dtype))

    @torch.no_grad()
    def balance(self, load: Tensor) -> None:
        """After a batch: raise the bias of experts below the mean load, lower it above. load: (experts,), of all."""
        self.load_total += load
        mean = load.double().mean()
        self.bias += self.config.balance_rate * torch.sign(mean - load.double()).to(self.bias.dtype)


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """No autocast for the router, whose choices rounding would change (Fedus et al. 2021, selective precision)."""
    autocast = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if autocast else nullcontext()


class _Contiguous(torch.autograd.Function):
    """Identity whose gradient is contiguous, as the backward of a grouped product needs."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        return gradient.contiguous()


def _grouped(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Rows of x up to ends[0] times weight[0], up to ends[1] times weight[1], and so on.

    Autocast knows nothing of this product (pytorch/pytorch#174763): what it would cast is cast here.
    """
    if torch.is_autocast_enabled(x.device.type):
        precision = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(precision), weight.to(precision)
    product: Tensor = _Contiguous.apply(F.grouped_mm(x, weight, offs=ends))
    return product
