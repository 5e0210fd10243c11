"""The image column: bytes, or files that it names -> pixels of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from dsray.data.counts import Counts, mark
from dsray.data.named import named_in, names_files
from dsray.data.origin import RowFault
from dsray.data.pictures import UNREADABLE, Picture, decode, fault
from dsray.data.schema import ImageSpec


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, channels) uint8, by area-aware bilinear filtering; untouched where the size is right."""
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(resized).reshape(height, width, pixels.shape[2])


def encode_images(table: pa.Table, spec: ImageSpec) -> pa.Table:
    """Adds `image` (fixed-size list uint8 in channel, height, width order) and `present.image`.

    A row without bytes whose path names a file is what that file holds. Neither means that the image is missing: zeros.
    Marks the rows of which pixels were `transparent`. A value that occurs in many rows is decoded once. A value that
    cannot be read is a RowFault.
    """
    column = table.column(f"raw.{spec.column}")
    names = pa.chunked_array([pa.nulls(len(column), pa.string())])
    if pa.types.is_struct(column.type):
        names = named_in(column) if names_files(column.type) else names
        column = pc.struct_field(column, "bytes")
    given = column.cast(pa.large_binary()).combine_chunks().dictionary_encode()
    named = names.combine_chunks().dictionary_encode()
    last = len(given.dictionary) + len(named.dictionary)
    index = given.indices.fill_null(last).to_numpy()
    index = np.where(named.is_valid(), len(given.dictionary) + named.indices.fill_null(0).to_numpy(), index)
    decoded = np.zeros((last + 1, spec.channels, spec.height, spec.width), dtype=np.uint8)
    transparent = np.zeros(last + 1, dtype=np.bool_)
    for i, value in enumerate((*given.dictionary, *named.dictionary)):
        try:
            picture = _read(value.as_py(), spec)
        except _Unreadable as error:
            row = int(np.flatnonzero(index == i)[0])
            raise RowFault("data.image.column", spec.column, row, str(error)) from None
        decoded[i] = resize(picture.pixels, spec.height, spec.width).transpose(2, 0, 1)
        transparent[i] = picture.transparent
    image = pa.FixedSizeListArray.from_arrays(
        pa.array(decoded[index].reshape(-1)), spec.channels * spec.height * spec.width
    )
    table = table.append_column("image", image).append_column("present.image", pa.array(index != last))
    return mark(table, "image", {"transparent": transparent[index]})


def remarks(counts: Mapping[str, Counts], spec: ImageSpec) -> Iterator[str]:
    """What a user should know of the images before believing a figure."""
    if some := sum(found["image"]["transparent"] for found in counts.values()):
        yield f"images with transparent pixels, of which there are {some:,}, are laid over white"


class _Unreadable(Exception):
    """Bytes or a file that is no picture, in words."""


def _read(value: bytes | str, spec: ImageSpec) -> Picture:
    where = ""
    if isinstance(value, str):
        where = f"names the file '{value}', which "
        try:
            value = _content(Path(value))
        except (OSError, ValueError):
            raise _Unreadable(where + "is not there or cannot be read; needs bytes, or a PNG or JPEG file") from None
    try:
        return decode(value, spec.channels)
    except UNREADABLE as error:
        raise _Unreadable(where + fault(value, error)) from None


def _content(file: Path) -> bytes:
    if not file.is_file():  # a pipe or a device would be read for ever
        raise FileNotFoundError(file)
    return file.read_bytes()
