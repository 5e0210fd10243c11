"""Encoders, one per modality; a new one is one file and one name in a union below."""

from typing import Annotated

from pydantic import Field

from dsray.base import Config, one_of
from dsray.models.encoders.base import EncoderConfig, ImageEncoderConfig, ModalityEncoder, TextEncoderConfig
from dsray.models.encoders.patch import PatchConfig, PatchEncoder
from dsray.models.encoders.tokens import TokenEncoder, TokensConfig

AnyImageEncoder = Annotated[ImageEncoderConfig, one_of(PatchConfig)]
AnyTextEncoder = Annotated[TextEncoderConfig, one_of(TokensConfig)]


class EncodersConfig(Config):
    """The encoder of each modality; one whose modality is not in the data is not built."""

    image: AnyImageEncoder = Field(PatchConfig(), description="encoder of the image")
    text: AnyTextEncoder = Field(TokensConfig(), description="encoder of the text")


__all__ = [
    "AnyImageEncoder",
    "AnyTextEncoder",
    "EncoderConfig",
    "EncodersConfig",
    "ImageEncoderConfig",
    "ModalityEncoder",
    "PatchConfig",
    "PatchEncoder",
    "TextEncoderConfig",
    "TokenEncoder",
    "TokensConfig",
]
