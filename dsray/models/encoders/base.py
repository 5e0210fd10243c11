"""What every encoder is: one modality -> tokens of its own width."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from dsray.base import Plugin
from dsray.inputs import ImageSpec, TextSpec


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
    """Base of all encoders.

    `build` only makes the module: it reads no file, works on the meta device too (where plans are made and models are
    read back), and gives buffers that are not saved the same values each time. Weights that exist already come in
    `pretrained`. `dsray.testing.check_encoder` holds an encoder to all of it.
    """

    width: int = Field(64, ge=1, description="width of the encoder's own tokens, before the shared projection")

    def pretrained(self, module: ModalityEncoder) -> None:
        """Load weights into a module that `build` has just made.

        Called once, where a new training begins: never when a training goes on or a model is read back from disk.
        """


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
