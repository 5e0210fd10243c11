"""The routed trunk: pre-norm blocks of attention and (routed) feed-forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base import Config
from dsray.models.attention import Attention
from dsray.models.experts import Experts, ExpertsConfig


class TrunkConfig(Config):
    """Blocks over the common space."""

    blocks: int = Field(3, ge=1, le=1000, description="number of blocks")
    heads: int = Field(4, ge=1, description="attention heads; they divide the width")
    hidden: int = Field(128, ge=1, description="hidden width of the dense feed-forward")
    experts: ExpertsConfig | None = Field(ExpertsConfig(), description="routed experts; null for a dense trunk")

    @property
    def dense(self) -> bool:
        """Whether a block has a feed-forward that every token runs."""
        return self.experts is None or self.experts.shared


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x)) + experts(norm(x))."""

    def __init__(self, width: int, config: TrunkConfig):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, config.heads)
        self.up = nn.Linear(width, config.hidden) if config.dense else None
        self.down = nn.Linear(config.hidden, width) if config.dense else None
        self.experts = Experts(width, config.experts) if config.experts else None

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """tokens (batch, tokens, width), mask (batch, tokens) -> (tokens, load (experts,) int64; (0,) when dense)."""
        tokens = tokens + self.attention(self.norm1(tokens), mask)
        normed = self.norm2(tokens)
        load = torch.zeros(0, dtype=torch.int64, device=tokens.device)
        if self.up is not None and self.down is not None:
            tokens = tokens + self.down(F.gelu(self.up(normed)))
        if self.experts is not None:
            mixed, load = self.experts(normed, mask)
            tokens = tokens + mixed
        return tokens, load


class Trunk(nn.Module):
    """The blocks in order."""

    def __init__(self, width: int, config: TrunkConfig):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, config) for _ in range(config.blocks))
        self.experts = config.experts.count if config.experts else 0

    def __iter__(self) -> Iterator[Block]:
        return cast(Iterator[Block], iter(self.blocks))

    def no_load(self, device: torch.device) -> Tensor:
        """(experts,) zeros: the load of a block that no row runs."""
        return torch.zeros(self.experts, dtype=torch.int64, device=device)
