"""Text encoder: a table of token vectors plus positions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dsray.inputs import InputSpec, TextSpec
from dsray.models.encoders.base import Encoder, TextEncoderConfig


class TokensConfig(TextEncoderConfig):
    """A learned vector per token id plus a learned vector per position."""

    kind: Literal["tokens"] = "tokens"

    def build(self, spec: InputSpec) -> TokenEncoder:
        assert isinstance(spec, TextSpec)
        return TokenEncoder(spec, self.width)


class TokenEncoder(Encoder):
    """(batch, length) token ids -> (batch, length, width); id 0 is padding and is masked."""

    def __init__(self, spec: TextSpec, width: int):
        super().__init__()
        self.tokens, self.width = spec.length, width
        self.embed = nn.Embedding(spec.vocabulary, width, padding_idx=0)
        self.position = nn.Parameter(torch.empty(spec.length, width))
        nn.init.normal_(self.position, std=0.02)

    def forward(self, values: Tensor) -> Tensor:
        return self.embed(values) + self.position

    def mask(self, *tensors: Tensor) -> Tensor:
        return tensors[0] != 0
