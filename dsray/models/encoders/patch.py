"""Image encoder: one linear layer over square patches (the stem of ViT, Dosovitskiy et al. 2021)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.inputs import ImageSpec, InputSpec
from dsray.models.encoders.base import Encoder, ImageEncoderConfig


class PatchConfig(ImageEncoderConfig):
    """Square patches, each embedded by one linear layer and GELU, plus learned positions."""

    kind: Literal["patch"] = "patch"
    patch: int = Field(4, ge=1, description="side of a patch in pixels; it must divide height and width")

    def build(self, spec: InputSpec) -> PatchEncoder:
        assert isinstance(spec, ImageSpec)
        if spec.height % self.patch or spec.width % self.patch:
            fits = [p for p in range(1, 1 + min(spec.height, spec.width)) if spec.height % p == spec.width % p == 0]
            raise RequestError(
                f"patch: {self.patch} does not divide an image of {spec.height}x{spec.width} "
                f"pixels; {', '.join(map(str, fits))} would"
            )
        return PatchEncoder(spec, self.patch, self.width)


class PatchEncoder(Encoder):
    """(batch, channels, height, width) -> (batch, patches, width), patches in reading order."""

    def __init__(self, spec: ImageSpec, patch: int, width: int):
        super().__init__()
        self.patch = patch
        self.grid = (spec.height // patch, spec.width // patch)
        self.tokens, self.width = self.grid[0] * self.grid[1], width
        self.embed = nn.Linear(spec.channels * patch * patch, width)
        self.position = nn.Parameter(torch.empty(self.tokens, width))
        nn.init.normal_(self.position, std=0.02)

    def forward(self, values: Tensor) -> Tensor:
        rows, channels = values.shape[:2]
        (high, wide), side = self.grid, self.patch
        cells = values.reshape(rows, channels, high, side, wide, side).permute(0, 2, 4, 1, 3, 5)
        return F.gelu(self.embed(cells.reshape(rows, self.tokens, channels * side * side))) + self.position
