"""Schema: what a prepared data set looks like to a model, and how a raw instance becomes one of its rows.

It is plain data (tokeniser included), so an artefact carries it and serving needs nothing else.
"""

from __future__ import annotations

from pydantic import Field

from dsray.base import Config


class ImageSpec(Config):
    """An image modality: (channels, height, width) float32 in [0, 1]."""

    column: str = Field(description="column of the source that holds the encoded image")
    channels: int = Field(ge=1, le=4)
    height: int = Field(ge=1, le=4096, description="pixels")
    width: int = Field(ge=1, le=4096, description="pixels")


class TextSpec(Config):
    """A text modality: (length,) int64 token ids, 0 is padding and 1 is unknown."""

    column: str = Field(description="column of the source that holds the text")
    length: int = Field(ge=1, le=4096, description="tokens; longer texts are cut, shorter ones padded")
    vocabulary: int = Field(ge=2, le=65536, description="number of token ids")
    tokenizer: str = Field(description="the byte-pair tokeniser as JSON (Hugging Face tokenizers format)")


class Schema(Config):
    """Modalities, label column and class names (index = target)."""

    image: ImageSpec | None = None
    text: TextSpec | None = None
    label: str
    classes: tuple[str, ...]
    label_names: tuple[str, ...] = Field(
        (), description="names of the numbers 0, 1, ... in the label column, where the training files gave them"
    )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities that exist, in fixed order."""
        return tuple(name for name in ("image", "text") if getattr(self, name) is not None)
