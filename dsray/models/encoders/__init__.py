"""Encoders, one for each input; a new one is one file and one name in `AnyEncoder`."""

from typing import Annotated, get_args

from dsray.base import one_of
from dsray.models.encoders.base import Encoder, EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from dsray.models.encoders.patch import PatchConfig, PatchEncoder
from dsray.models.encoders.tokens import TokenEncoder, TokensConfig

AnyEncoder = Annotated[EncoderConfig, one_of(PatchConfig, TokensConfig)]
"""The first that reads an input is its encoder where the file names none."""
ENCODERS: one_of = get_args(AnyEncoder)[1]

__all__ = [
    "ENCODERS",
    "AnyEncoder",
    "Encoder",
    "EncoderConfig",
    "ImageEncoderConfig",
    "PatchConfig",
    "PatchEncoder",
    "TextEncoderConfig",
    "TokenEncoder",
    "TokensConfig",
]
