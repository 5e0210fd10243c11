"""Encoded images -> pixels."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, UnidentifiedImageError

from dsray.base import RequestError
from dsray.schema import ImageSpec

UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises on bytes that are not a whole PNG or JPEG."""


def open_image(encoded: bytes) -> Image.Image:
    """The image behind PNG or JPEG bytes; only the header has been read. Raises one of UNREADABLE."""
    return Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG"))


def pixels_of(image: Image.Image, channels: int) -> np.ndarray:
    """(height, width, channels) uint8; colour becomes grey and grey becomes colour as asked for."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode == "P":  # a palette with transparency would warn on its way to any other mode
        image = image.convert("RGBA")
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


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

    Null means that the image is missing: zeros. A value that occurs in many rows is decoded once.
    """
    column = table.column(f"raw.{spec.column}")
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")
    values = column.cast(pa.large_binary()).combine_chunks().dictionary_encode()
    decoded = np.zeros((len(values.dictionary) + 1, spec.channels, spec.height, spec.width), dtype=np.uint8)
    for i, encoded in enumerate(values.dictionary):
        decoded[i] = _decode(encoded.as_py(), spec)
    present = column.is_valid().to_numpy(zero_copy_only=False)
    index = values.indices.fill_null(len(values.dictionary)).to_numpy()
    flat = pa.array(decoded[index].reshape(-1))
    size = spec.channels * spec.height * spec.width
    image = pa.FixedSizeListArray.from_arrays(flat, size)
    return table.append_column("image", image).append_column("present.image", pa.array(present))


def _decode(encoded: bytes, spec: ImageSpec) -> np.ndarray:
    try:
        pixels = pixels_of(open_image(encoded), spec.channels)
    except UNREADABLE:
        raise RequestError(
            f"data.image.column: column '{spec.column}' holds {len(encoded)} bytes starting with {encoded[:8]!r}; "
            "needs whole PNG or JPEG images"
        ) from None
    return resize(pixels, spec.height, spec.width).transpose(2, 0, 1)
