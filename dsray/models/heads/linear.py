"""Linear head: norm and one linear layer over the answer token."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dsray.models.heads.base import HeadConfig


class LinearHeadConfig(HeadConfig):
    """Each number of the answer is linear in the answer token, whatever the kind of target."""

    kind: Literal["linear"] = "linear"

    def build(self, width: int, outputs: int) -> LinearHead:
        return LinearHead(width, outputs)


class LinearHead(nn.Module):
    """(batch, tokens, width) -> (batch, outputs), from the first token."""

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.norm(tokens[:, 0]))
        return logits
