"""What every encoder is: one input -> tokens of its own width."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from dsray.base import Plugin
from dsray.inputs import ImageSpec, InputSpec, TextSpec


class Encoder(nn.Module):
    """Base of the encoders; a subclass sets `tokens` and `width` and defines `forward`.

    forward(*tensors), each (batch, ...), in the order of the spec's `tensors` -> (batch, tokens, width).
    """

    tokens: int
    width: int

    def mask(self, *tensors: Tensor) -> Tensor:
        """(batch, tokens) bool, False at tokens that are padding; by default none is."""
        return torch.ones(tensors[0].shape[0], self.tokens, dtype=torch.bool, device=tensors[0].device)


class EncoderConfig(Plugin):
    """Base of all encoders. reads: the kind of input that it encodes; any, unless it says which.

    `build` only makes the module: it reads no file, works on the meta device too (where plans are made and models are
    read back), and gives buffers that are not saved the same values each time. Weights that exist already come in
    `pretrained`. `dsray.testing.check_encoder` holds an encoder to all of it.
    """

    reads: ClassVar[type[InputSpec]] = InputSpec
    width: int = Field(64, ge=1, description="width of the encoder's own tokens, before the shared projection")

    def build(self, spec: InputSpec) -> Encoder:
        """An encoder of the tensors of `spec`, which is what it `reads`.

        A RequestError for a setting that does not fit the spec begins with its name: `patch: 3 does not divide ...`.
        """
        raise NotImplementedError

    def pretrained(self, module: Encoder) -> None:
        """Load weights into a module that `build` has just made.

        Called once, where a new training begins: never when a training goes on or a model is read back from disk.
        """


class ImageEncoderConfig(EncoderConfig):
    """Base of the image encoders: (batch, channels, height, width) float."""

    reads: ClassVar[type[InputSpec]] = ImageSpec


class TextEncoderConfig(EncoderConfig):
    """Base of the text encoders: (batch, length) token ids, 0 is padding."""

    reads: ClassVar[type[InputSpec]] = TextSpec
