"""Classification head: norm and one linear layer over the answer token."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dsray.models.heads.base import HeadConfig


class ClassificationConfig(HeadConfig):
    """One logit per class, read from the answer token."""

    kind: Literal["classification"] = "classification"

    def build(self, width: int, classes: int) -> ClassificationHead:
        return ClassificationHead(width, classes)


class ClassificationHead(nn.Module):
    """(batch, tokens, width) -> (batch, classes), from the first token."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.norm(tokens[:, 0]))
        return logits
