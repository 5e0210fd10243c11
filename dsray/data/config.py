"""The `data` section of an experiment file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from dsray.base import Config, one_of
from dsray.data.digits import DigitsConfig
from dsray.data.parquet import ParquetConfig
from dsray.data.source import SourceConfig

AnySource = Annotated[SourceConfig, one_of(DigitsConfig, ParquetConfig)]

Pixels = Annotated[int, Field(ge=1, le=4096)]


class ImageColumn(Config):
    """A column of PNG or JPEG bytes (or `{bytes, path}`), resized to one size and read as numbers in [0, 1]."""

    column: str = Field(description="column that holds the encoded image")
    size: Pixels | tuple[Pixels, Pixels] = Field(description="pixels: one side of a square, or [height, width]")
    channels: Literal[1, 3] = Field(1, description="1 grey, 3 colour")

    @property
    def height(self) -> int:
        """Pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]


class TextColumn(Config):
    """A column of text, cut into byte-pair tokens learnt from the training rows.

    What is null of vocabulary and length is chosen from those rows too, as `dsray.data.texts.fit_text` says.
    """

    column: str = Field(description="column that holds the text")
    vocabulary: int | None = Field(
        None,
        ge=8,
        le=65536,
        description="token ids at most, padding and unknown included; null: as many as make 95 % of the words that occur "
        "more than once in the training rows one token each, 256 to 8192",
    )
    length: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="tokens; longer texts are cut, shorter ones padded; null: as many as hold 95 % of the texts of the "
        "training rows, 256 at most",
    )


class DataConfig(Config):
    """Where the rows come from, and which of their columns are the input and the label.

    What the source knows of its own columns (`SourceConfig.columns`) is filled in where the file says nothing.
    """

    source: AnySource = Field(DigitsConfig(), description="where the rows come from")
    image: ImageColumn | None = Field(None, description="the image input; null: none")
    text: TextColumn | None = Field(None, description="the text input; null: none")
    label: str = Field("", description="column that holds the class")
    validation: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of the training rows, and of each class, held out where the source has no validation split",
    )
    group: str | None = Field(
        None, description="column: rows that share its value are never divided between training and validation"
    )
    show: tuple[str, ...] = Field((), description="further columns kept for reports and row filters")

    @model_validator(mode="before")
    @classmethod
    def _columns_of_the_source(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        try:
            source = TypeAdapter(AnySource).validate_python(data.get("source", "digits"))
        except ValidationError:
            return data  # the field itself reports it, under its own path
        filled = {**data, "source": source}
        for key, known in source.columns().items():
            if key not in filled:
                filled[key] = known
            elif isinstance(known, dict) and isinstance(filled[key], dict):
                filled[key] = {**known, **filled[key]}
        return filled

    @field_validator("label")
    @classmethod
    def _label_is_named(cls, label: str) -> str:
        if not label:
            raise ValueError("name the column that holds the class")
        return label

    @model_validator(mode="after")
    def _inputs_and_label_fit(self) -> DataConfig:
        if self.image is None and self.text is None:
            raise ValueError("needs at least one input: an image column, a text column or both")
        inputs = [part.column for part in (self.image, self.text) if part is not None]
        if self.label in inputs:
            raise ValueError(f"column '{self.label}' is the label and an input; the model would read its answer")
        if self.image is not None and self.image.column in self.show:
            raise ValueError(f"show names further columns; '{self.image.column}' is the image itself")
        return self
