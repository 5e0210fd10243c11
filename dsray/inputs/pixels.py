"""The value of a request that means an image -> its pixels: base64 of a picture, or nested numbers."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from dsray.base import RequestError
from dsray.inputs.pictures import TOO_LARGE, UNREADABLE, WrongSize, decode
from dsray.inputs.words import what

Size = tuple[int, int, int]
"""Channels, height, width."""


def pixels_of(value: Any, size: Size, field: str) -> np.ndarray:
    """(channels, height, width) float32 in [0, 1].

    value: PNG or JPEG in base64 (a data: URI too), as a viewer shows it, or nested numbers of shape (height, width),
        (height, width, channels) or (channels, height, width): either whole numbers in 0..255 only, or fractions in
        [0, 1]. The size must be right: nothing is resized here. field: what errors call the value.
    """
    if isinstance(value, str):
        return _encoded(value, size, field)
    if isinstance(value, list):
        return _array(value, size, field)
    raise RequestError(f"{field}: got {what(value)}; needs a base64 string, nested numbers or null")


def _encoded(value: str, size: Size, field: str) -> np.ndarray:
    channels, height, width = size
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        content = base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        raise RequestError(f"{field}: is not base64; needs a PNG or JPEG image in base64") from None
    try:
        pixels = decode(content, channels, (height, width)).pixels
    except WrongSize as error:
        raise _wrong_size(error.height, error.width, size, field) from None
    except TOO_LARGE:
        raise RequestError(f"{field}: has far too many pixels; needs {height}x{width}") from None
    except UNREADABLE:
        raise RequestError(f"{field}: is not a whole PNG or JPEG image") from None
    return np.divide(pixels.transpose(2, 0, 1), 255, dtype=np.float32)


def _array(value: list[Any], size: Size, field: str) -> np.ndarray:
    _, height, width = size
    try:
        numbers = np.array(value)
    except ValueError:
        raise RequestError(f"{field}: rows of different lengths; needs {height}x{width} numbers") from None
    if numbers.dtype.kind not in "iuf":
        raise RequestError(f"{field}: holds values that are not numbers")
    image = _channels_first(numbers, size, field)
    if numbers.dtype.kind in "iu" and numbers.max() == 1 and numbers.min() >= 0:
        raise RequestError(f"{field}: whole numbers mean 0..255, so 1 is almost black; write 255 for white")
    top = 1 if numbers.dtype.kind == "f" else 255
    if not (numbers.min() >= 0 and numbers.max() <= top):  # also refuses NaN
        wrong = next(n for n in numbers.flat if not 0 <= n <= top)
        raise RequestError(f"{field}: got {wrong:g}; needs fractions in [0, 1] or only whole numbers in 0..255")
    return (image / top).astype(np.float32)


def _channels_first(numbers: np.ndarray, size: Size, field: str) -> np.ndarray:
    """(channels, height, width); a shape that can be read in two ways is (height, width, channels)."""
    channels, height, width = size
    if numbers.ndim == 2 and channels == 1:
        _check_size(numbers.shape[0], numbers.shape[1], size, field)
        return numbers[None]
    if numbers.ndim == 3 and numbers.shape == (height, width, channels):
        return numbers.transpose(2, 0, 1)
    if numbers.ndim == 3 and numbers.shape == size:
        return numbers
    if numbers.ndim == 3 and numbers.shape[2] == channels:
        _check_size(numbers.shape[0], numbers.shape[1], size, field)
    if numbers.ndim == 3 and numbers.shape[0] == channels:
        _check_size(numbers.shape[1], numbers.shape[2], size, field)
    shape = "x".join(map(str, numbers.shape))
    needs = f"{height}x{width}" + (f"x{channels}" if channels > 1 else "")
    raise RequestError(f"{field}: got numbers of shape {shape}; needs {needs}")


def _check_size(height: int, width: int, size: Size, field: str) -> None:
    if (height, width) != size[1:]:
        raise _wrong_size(height, width, size, field)


def _wrong_size(height: int, width: int, size: Size, field: str) -> RequestError:
    return RequestError(f"{field}: got {height}x{width} pixels (height x width); needs {size[1]}x{size[2]}")
