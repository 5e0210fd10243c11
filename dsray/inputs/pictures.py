"""The one decoder of pictures: PNG or JPEG bytes -> the pixels that a viewer would show; and back to PNG.

Turned as EXIF says, transparent pixels laid over white. Training, `predict` and the HTTP interface read through it.
"""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

TOO_LARGE = Image.DecompressionBombError
UNREADABLE = (
    UnidentifiedImageError,
    TOO_LARGE,
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on bytes that are not a whole PNG or JPEG, or too large a one."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> how the stored pixels are turned; from 5 on, height and width change places."""
_ORIENTATION = 0x0112
_SCALE = {"L;2": 85, "L;4": 17}
"""Grey of less than 8 bits is stretched to 0..255 by Pillow, its transparent value is not."""


class Picture(NamedTuple):
    """pixels: (height, width, channels) uint8. transparent: some of them were, and are white to that degree."""

    pixels: np.ndarray
    transparent: bool


class WrongSize(Exception):
    """A picture whose size as shown is another than the one asked for."""

    def __init__(self, height: int, width: int):
        super().__init__(f"{height}x{width} pixels")
        self.height, self.width = height, width


def decode(encoded: bytes, channels: int, size: tuple[int, int] | None = None) -> Picture:
    """The picture as shown, in 1 (grey) or 3 channels; 16-bit values become 8-bit ones.

    size: (height, width) that it must have as shown, else WrongSize, before a pixel is decoded. Raises one of
    UNREADABLE, for which `fault` has the words.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, which are read, and of EXIF that says nothing
        image = Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG"))
        if size is not None:
            _check_header(image, size)
        layout = str(image.tile[0][3]) if image.tile else ""  # of the file; Pillow forgets it when it has decoded
        image.load()
        turn = _TURNS.get(_orientation(image))
        flat, transparent = _over_white(image, layout, "L" if channels == 1 else "RGB")
    if turn is not None:
        flat = flat.transpose(turn)
    if size is not None and (flat.height, flat.width) != size:
        raise WrongSize(flat.height, flat.width)
    return Picture(np.asarray(flat).reshape(flat.height, flat.width, channels), transparent)


def fault(encoded: bytes, error: Exception) -> str:
    """What is wrong with bytes for which `decode` raised one of UNREADABLE, to follow `it` in a sentence."""
    if isinstance(error, TOO_LARGE):
        return f"is an image of more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; needs smaller ones"
    return f"holds {len(encoded)} bytes starting with {encoded[:8]!r}; needs whole PNG or JPEG images"


def _check_header(image: Image.Image, size: tuple[int, int]) -> None:
    """WrongSize where the header already tells it; a PNG may say how it is turned behind its pixels."""
    stored = (image.height, image.width)
    shown = stored[::-1] if _orientation(image) >= 5 else stored
    later = image.format == "PNG" and "exif" not in image.info
    if shown != size and not (later and shown[::-1] == size):
        raise WrongSize(*shown)


def _orientation(image: Image.Image) -> int:
    """1 to 8 as EXIF numbers them; 1, upright, where the picture does not say."""
    written = image.info.get("exif")
    if not isinstance(written, bytes):
        return 1
    exif = Image.Exif()
    try:
        exif.load(written)
        found = exif.get(_ORIENTATION, 1)
    except Exception:  # whatever Pillow's parser meets; a viewer shows such a picture as it is stored
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _over_white(image: Image.Image, layout: str, mode: str) -> tuple[Image.Image, bool]:
    """The picture without transparency, in `mode`, and whether it had any transparent pixel."""
    key = image.info.get("transparency")
    if image.mode in ("P", "PA", "LA", "RGBA"):
        image = image.convert("RGBA")
        transparent = image.getchannel("A").getextrema()[0] != 255
        if transparent:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert(mode), transparent
    clear = None if key is None else _equal(np.asarray(image), key, image.mode, layout)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode != mode:
        image = image.convert(mode)
    if clear is None or not clear.any():
        return image, False
    image.paste("white", mask=Image.fromarray(clear))
    return image, True


def _equal(pixels: np.ndarray, key: Any, mode: str, layout: str) -> np.ndarray:
    """(height, width) bool: the pixels of the one value that a PNG calls transparent."""
    if mode == "1":
        return pixels == bool(key)
    if mode == "RGB":  # of 16 bits a channel Pillow keeps the upper 8, so neighbours of the value are taken for it
        shift = 8 if layout.endswith("16B") else 0
        return (pixels == np.array(key) >> shift).all(axis=2)
    return pixels == key * _SCALE.get(layout, 1)


def png_base64(image: np.ndarray) -> str:
    """image: (channels, height, width) numbers in [0, 1] -> base64 PNG."""
    pixels = np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def data_uri(image: np.ndarray) -> str:
    """`png_base64` as what an <img> reads."""
    return f"data:image/png;base64,{png_base64(image)}"
