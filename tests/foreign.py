"""Encoders of a package that is not dsray: one that keeps the promises, and those that break one each."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from dsray.models.encoders import Encoder, ImageEncoderConfig, PatchConfig


class Waves(Encoder):
    """Rows of the image as tokens, with fixed positions in a buffer that is not saved."""

    def __init__(self, spec: Any, width: int):
        super().__init__()
        self.tokens, self.width = spec.height, width
        self.embed = nn.Linear(spec.channels * spec.width, width)
        angle = torch.arange(spec.height)[:, None] / 10 ** torch.linspace(0, 2, width)
        self.register_buffer("waves", torch.sin(angle), persistent=False)

    def forward(self, values):
        rows = values.permute(0, 2, 1, 3).reshape(values.shape[0], self.tokens, -1)
        return F.gelu(self.embed(rows)) + self.waves


class WavesConfig(ImageEncoderConfig):
    """Right: `build` makes the module, `pretrained` brings weights."""

    kind: Literal["foreign:WavesConfig"] = "foreign:WavesConfig"
    start: float | None = None

    def build(self, spec):
        return Waves(spec, self.width)

    def pretrained(self, module):
        if self.start is not None:
            nn.init.constant_(module.embed.weight, self.start)


class EagerConfig(WavesConfig):
    """Wrong: weights are read in `build`, which the meta device cannot."""

    kind: Literal["foreign:EagerConfig"] = "foreign:EagerConfig"

    def build(self, spec):
        module = super().build(spec)
        with torch.no_grad():
            module.embed.weight.copy_(torch.full(module.embed.weight.shape, math.tau, device="cpu"))
            float(module.embed.weight.sum())
        return module


class Forgetful(Waves):
    """Wrong: what it drew when it was built is saved nowhere."""

    def __init__(self, spec: Any, width: int):
        super().__init__(spec, width)
        self.drawn = torch.rand(width, device="cpu")

    def forward(self, values):
        return super().forward(values) * self.drawn


class ForgetfulConfig(WavesConfig):
    """Wrong: see `Forgetful`."""

    kind: Literal["foreign:ForgetfulConfig"] = "foreign:ForgetfulConfig"

    def build(self, spec):
        return Forgetful(spec, self.width)


class Growing(Waves):
    """Wrong: a buffer has another size when it was trained."""

    def __init__(self, spec: Any, width: int):
        super().__init__(spec, width)
        self.register_buffer("seen", torch.zeros(0))

    def forward(self, values):
        if self.training:
            self.seen = torch.cat([self.seen, self.seen.new_zeros(1)])
        return super().forward(values)


class GrowingConfig(WavesConfig):
    """Wrong: see `Growing`."""

    kind: Literal["foreign:GrowingConfig"] = "foreign:GrowingConfig"

    def build(self, spec):
        return Growing(spec, self.width)


class Drifting(Waves):
    """Wrong: what training teaches it is saved nowhere."""

    gain = 1.0

    def forward(self, values):
        if self.training:
            self.gain *= 1.1
        return super().forward(values) * self.gain


class DriftingConfig(WavesConfig):
    """Wrong: see `Drifting`."""

    kind: Literal["foreign:DriftingConfig"] = "foreign:DriftingConfig"

    def build(self, spec):
        return Drifting(spec, self.width)


class Shuffled(Waves):
    """Wrong: training reads a buffer that is neither saved nor made the same again."""

    def __init__(self, spec: Any, width: int):
        super().__init__(spec, width)
        self.register_buffer("order", torch.rand(self.tokens).argsort(), persistent=False)

    def forward(self, values):
        tokens = super().forward(values)
        return tokens[:, self.order] if self.training else tokens


class ShuffledConfig(WavesConfig):
    """Wrong: see `Shuffled`."""

    kind: Literal["foreign:ShuffledConfig"] = "foreign:ShuffledConfig"

    def build(self, spec):
        return Shuffled(spec, self.width)


class Counting(Waves):
    """Wrong: training counts in a buffer that is not saved."""

    def forward(self, values):
        if self.training:
            self.waves = self.waves + 0.01
        return super().forward(values)


class CountingConfig(WavesConfig):
    """Wrong: see `Counting`."""

    kind: Literal["foreign:CountingConfig"] = "foreign:CountingConfig"

    def build(self, spec):
        return Counting(spec, self.width)


class TunedConfig(WavesConfig):
    """Wrong: what `pretrained` brings goes into a buffer that is not saved."""

    kind: Literal["foreign:TunedConfig"] = "foreign:TunedConfig"

    def pretrained(self, module):
        module.waves.mul_(2)


class WidenedConfig(WavesConfig):
    """Wrong: its parameters have another size on the meta device."""

    kind: Literal["foreign:WidenedConfig"] = "foreign:WidenedConfig"

    def build(self, spec):
        module = super().build(spec)
        if module.embed.weight.is_meta:
            module.embed = nn.Linear(1, self.width)
        return module


class Unteachable(Waves):
    """Wrong: it runs, but not in training."""

    def forward(self, values):
        if self.training:
            raise ValueError("this encoder is for answers only")
        return super().forward(values)


class UnteachableConfig(WavesConfig):
    """Wrong: see `Unteachable`."""

    kind: Literal["foreign:UnteachableConfig"] = "foreign:UnteachableConfig"

    def build(self, spec):
        return Unteachable(spec, self.width)


class Opaque(Waves):
    """Wrong for export: numbers leave torch and come back as constants."""

    def forward(self, values):
        return super().forward(values) + float(values.detach().numpy().mean())


class OpaqueConfig(WavesConfig):
    """Wrong for export: see `Opaque`."""

    kind: Literal["foreign:OpaqueConfig"] = "foreign:OpaqueConfig"

    def build(self, spec):
        return Opaque(spec, self.width)


class CrowdedConfig(PatchConfig):
    """Wrong: a row's tokens depend on its company."""

    kind: Literal["foreign:CrowdedConfig"] = "foreign:CrowdedConfig"  # type: ignore[assignment]

    def build(self, spec):
        module = super().build(spec)
        module.register_forward_hook(lambda module, given, tokens: tokens - tokens.mean(0))
        return module
