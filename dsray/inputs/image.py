"""Images: a column of encoded pictures, or of files that hold them -> pixels of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field

from dsray.base import RequestError
from dsray.inputs.fault import RowFault
from dsray.inputs.input import Encoded, InputConfig, InputSpec, Shown
from dsray.inputs.named import bytes_and_names, holds_bytes
from dsray.inputs.pictures import UNREADABLE, Picture, data_uri, decode, fault, png_base64
from dsray.inputs.pixels import pixels_of
from dsray.inputs.tensor import TensorSpec

Pixels = Annotated[int, Field(ge=1, le=4096)]


class ImageInput(InputConfig):
    """A column of PNG or JPEG bytes (or `{bytes, path}`), resized to one size and read as numbers in [0, 1]."""

    range: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    kind: Literal["image"] = "image"
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

    @classmethod
    def gives(cls) -> type[InputSpec]:
        return ImageSpec

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def encoded(self) -> tuple[str, ...]:
        return (self.column,)

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if holds_bytes(kind) else "PNG or JPEG bytes"

    def fit(self, train: pa.Table) -> ImageSpec:
        return ImageSpec(column=self.column, channels=self.channels, height=self.height, width=self.width)

    def learnt(self, spec: InputSpec) -> bool:
        return spec == ImageSpec(column=self.column, channels=self.channels, height=self.height, width=self.width)


class ImageSpec(InputSpec):
    """An image: (channels, height, width) float32 in [0, 1], stored as uint8."""

    kind: Literal["image"] = "image"
    column: str = Field(description="column of the source that holds the encoded image")
    channels: int = Field(ge=1, le=4)
    height: int = Field(ge=1, le=4096, description="pixels")
    width: int = Field(ge=1, le=4096, description="pixels")

    suffixes: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def encoded(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        return {"": TensorSpec((self.channels, self.height, self.width), range=(0.0, 1.0), element="pixel")}

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if holds_bytes(kind) else "PNG or JPEG bytes"

    def encode(self, table: pa.Table, field: str) -> Encoded:
        """A row without bytes whose path names a file is what that file holds. Neither means missing: zeros.

        Marks the rows of which pixels were `transparent`. A value that occurs in many rows is decoded once.
        """
        given, named = (column.dictionary_encode() for column in bytes_and_names(table.column(self.column)))
        last = len(given.dictionary) + len(named.dictionary)
        index = given.indices.fill_null(last).to_numpy()
        index = np.where(named.is_valid(), len(given.dictionary) + named.indices.fill_null(0).to_numpy(), index)
        decoded = np.zeros((last + 1, self.channels, self.height, self.width), dtype=np.uint8)
        transparent = np.zeros(last + 1, dtype=np.bool_)
        for i, value in enumerate((*given.dictionary, *named.dictionary)):
            try:
                picture = _read(value.as_py(), self.channels)
            except _Unreadable as error:
                row = int(np.flatnonzero(index == i)[0])
                raise RowFault(f"{field}.column", self.column, row, str(error)) from None
            decoded[i] = resize(picture.pixels, self.height, self.width).transpose(2, 0, 1)
            transparent[i] = picture.transparent
        return Encoded({"": decoded[index]}, index != last, {"transparent": transparent[index]})

    def unpack(self, part: str, stored: np.ndarray) -> np.ndarray:
        return np.divide(stored, 255, dtype=np.float32) if stored.dtype == np.uint8 else stored

    def read(self, values: Sequence[Any], fields: Sequence[str]) -> dict[str, np.ndarray]:
        """values: PNG or JPEG in base64 (a data: URI too), or nested numbers, as `pixels_of` reads them."""
        size = (self.channels, self.height, self.width)
        found = np.zeros((len(values), *size), dtype=np.float32)
        for i, (value, field) in enumerate(zip(values, fields, strict=True)):
            found[i] = pixels_of(value, size, field)
        return {"": found}

    def request_schema(self) -> dict[str, Any]:
        size = f"{self.height}x{self.width} pixels, {self.channels} channel(s)"
        return {
            "description": f"{size}: base64 of a PNG or JPEG, read as a viewer shows it, or nested arrays of numbers in "
            "[0, 1] or whole 0..255",
            "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "null"}],
        }

    def example(self) -> str:
        """A black image."""
        return png_base64(np.zeros((self.channels, self.height, self.width)))

    def request_of(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> str:
        return png_base64(values[""])

    def show(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Shown:
        return Shown("image/png", data_uri(values[""]))

    def difference(self, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> Shown | None:
        """Around grey: black and white are the largest change of the row; grey alone where nothing moved."""
        moved = after[""] - before[""]
        largest = float(np.abs(moved).max()) or 1.0
        return Shown("image/png", data_uri(np.clip(0.5 + moved / (2 * largest), 0, 1)))

    def remarks(self, counts: Mapping[str, Mapping[str, int]], name: str) -> Iterator[str]:
        if some := sum(found["transparent"] for found in counts.values()):
            yield f"{name}s with transparent pixels, of which there are {some:,}, are laid over white"

    def csv_types(self) -> dict[str, pa.DataType]:
        return {self.column: pa.string()}

    def from_csv(self, table: pa.Table, path: Path) -> pa.Table:
        """The column holds paths of image files, relative to the CSV file."""
        files = table.column(self.column).to_pylist()
        encoded = [_content_of(path.parent / file, path, row) if file else None for row, file in enumerate(files)]
        place = table.column_names.index(self.column)
        return table.set_column(place, self.column, pa.array(encoded, pa.binary()))


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, channels) uint8, by area-aware bilinear filtering; untouched where the size is right."""
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(resized).reshape(height, width, pixels.shape[2])


class _Unreadable(Exception):
    """Bytes or a file that is no picture, in words."""


def _read(value: bytes | str, channels: int) -> Picture:
    where = ""
    if isinstance(value, str):
        where = f"names the file '{value}', which "
        try:
            value = _content(Path(value))
        except (OSError, ValueError):
            raise _Unreadable(where + "is not there or cannot be read; needs bytes, or a PNG or JPEG file") from None
    try:
        return decode(value, channels)
    except UNREADABLE as error:
        raise _Unreadable(where + fault(value, error)) from None


def _content(file: Path) -> bytes:
    if not file.is_file():  # a pipe or a device would be read for ever
        raise FileNotFoundError(file)
    return file.read_bytes()


def _content_of(file: Path, path: Path, row: int) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise RequestError(f"'{path}': row {row} names the image '{file}', which cannot be read") from None
