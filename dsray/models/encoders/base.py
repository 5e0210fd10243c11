"""What every encoder is: one modality -> tokens of its own width."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from dsray.base import Plugin
from dsray.schema import ImageSpec, TextSpec


class ModalityEncoder(nn.Module):
    """Base of the encoders; a subclass sets `tokens` and `width` and defines `forward`.

    forward: (batch, ...) -> (batch, tokens, width).
    """

    tokens: int
    width: int

    def mask(self, values: Tensor) -> Tensor:
        """(batch, tokens) bool, False at tokens that are padding; by default none is."""
        return torch.ones(values.shape[0], self.tokens, dtype=torch.bool, device=values.device)


class EncoderConfig(Plugin):
    """Base of all encoders."""

    width: int = Field(64, ge=1, description="width of the encoder's own tokens, before the shared projection")


class ImageEncoderConfig(EncoderConfig):
    """Base of the image encoders."""

    def build(self, spec: ImageSpec) -> ModalityEncoder:
        """An encoder of (batch, channels, height, width) float images."""
        raise NotImplementedError


class TextEncoderConfig(EncoderConfig):
    """Base of the text encoders."""

    def build(self, spec: TextSpec) -> ModalityEncoder:
        """An encoder of (batch, length) token ids, 0 is padding."""
        raise NotImplementedError
