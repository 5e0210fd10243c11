"""Raw instances of a request -> columns that the model reads."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dsray.base import RequestError, nearest
from dsray.data.pictures import TOO_LARGE, UNREADABLE, WrongSize, decode
from dsray.data.schema import ImageSpec, Schema
from dsray.data.tokens import tokenise

if TYPE_CHECKING:
    from dsray.base.protocols import Columns


def columns_of(instances: Sequence[Any], schema: Schema, field: str = "instances") -> Columns:
    """The instances as columns; row ids are positions, targets are -1.

    instances: one dict each with a key for every modality of the schema; null hides that modality.
        image: PNG or JPEG in base64 (a data: URI too), read by `dsray.data.pictures`, or nested numbers of shape (height, width),
            (height, width, channels) or (channels, height, width): either whole numbers in 0..255 only, or
            fractions in [0, 1]. The size must be the schema's: nothing is resized here.
        text: a string.
    field: what the errors call the list. Every fault is a RequestError that names the instance and its key.
    """
    if not instances:
        raise RequestError(f"{field}: is empty; needs at least one instance")
    for i, instance in enumerate(instances):
        _check_keys(instance, schema, f"{field}.{i}")
    columns: Columns = {}
    for name in schema.modalities:
        columns[f"present.{name}"] = np.array([instance[name] is not None for instance in instances])
    if schema.image is not None:
        spec = schema.image
        image = np.zeros((len(instances), spec.channels, spec.height, spec.width), dtype=np.float32)
        for i in np.flatnonzero(columns["present.image"]).tolist():
            image[i] = _image(instances[i]["image"], spec, f"{field}.{i}.image")
        columns["image"] = image
    if schema.text is not None:
        given = np.flatnonzero(columns["present.text"]).tolist()
        text = np.zeros((len(instances), schema.text.length), dtype=np.int64)
        text[given] = tokenise([_text(instances[i]["text"], f"{field}.{i}.text") for i in given], schema.text)
        columns["text"] = text
    columns["target"] = np.full(len(instances), -1, dtype=np.int64)
    columns["row"] = np.arange(len(instances), dtype=np.int64)
    columns["epoch"] = np.zeros(len(instances), dtype=np.int64)
    return columns


def _check_keys(instance: Any, schema: Schema, field: str) -> None:
    wanted = schema.modalities
    if not isinstance(instance, dict):
        raise RequestError(f"{field}: got {_what(instance)}; needs an object with {' and '.join(wanted)}")
    for key in instance:
        if key not in wanted:
            raise RequestError(f"{field}.{key}: unknown key; {nearest(str(key), list(wanted))}")
    for name in wanted:
        if name not in instance:
            raise RequestError(f"{field}.{name}: is missing; give it, or null to hide it from the model")
    if all(instance[name] is None for name in wanted):
        raise RequestError(f"{field}: {' and '.join(wanted)} cannot be null at once; give at least one")


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{field}: got {_what(value)}; needs a string or null")
    return value


def _image(value: Any, spec: ImageSpec, field: str) -> np.ndarray:
    """(channels, height, width) float32 in [0, 1]."""
    if isinstance(value, str):
        return _encoded(value, spec, field)
    if isinstance(value, list):
        return _array(value, spec, field)
    raise RequestError(f"{field}: got {_what(value)}; needs a base64 string, nested numbers or null")


def _encoded(value: str, spec: ImageSpec, field: str) -> np.ndarray:
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        content = base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        raise RequestError(f"{field}: is not base64; needs a PNG or JPEG image in base64") from None
    try:
        pixels = decode(content, spec.channels, (spec.height, spec.width)).pixels
    except WrongSize as error:
        raise _wrong_size(error.height, error.width, spec, field) from None
    except TOO_LARGE:
        raise RequestError(f"{field}: has far too many pixels; needs {spec.height}x{spec.width}") from None
    except UNREADABLE:
        raise RequestError(f"{field}: is not a whole PNG or JPEG image") from None
    return np.divide(pixels.transpose(2, 0, 1), 255, dtype=np.float32)


def _array(value: list[Any], spec: ImageSpec, field: str) -> np.ndarray:
    try:
        numbers = np.array(value)
    except ValueError:
        raise RequestError(f"{field}: rows of different lengths; needs {spec.height}x{spec.width} numbers") from None
    if numbers.dtype.kind not in "iuf":
        raise RequestError(f"{field}: holds values that are not numbers")
    image = _channels_first(numbers, spec, field)
    if numbers.dtype.kind in "iu" and numbers.max() == 1 and numbers.min() >= 0:
        raise RequestError(f"{field}: whole numbers mean 0..255, so 1 is almost black; write 255 for white")
    top = 1 if numbers.dtype.kind == "f" else 255
    if not (numbers.min() >= 0 and numbers.max() <= top):  # also refuses NaN
        wrong = next(n for n in numbers.flat if not 0 <= n <= top)
        raise RequestError(f"{field}: got {wrong:g}; needs fractions in [0, 1] or only whole numbers in 0..255")
    return (image / top).astype(np.float32)


def _channels_first(numbers: np.ndarray, spec: ImageSpec, field: str) -> np.ndarray:
    """(channels, height, width); a shape that can be read in two ways is (height, width, channels)."""
    size = (spec.height, spec.width)
    if numbers.ndim == 2 and spec.channels == 1:
        _check_size(numbers.shape[0], numbers.shape[1], spec, field)
        return numbers[None]
    if numbers.ndim == 3 and numbers.shape == (*size, spec.channels):
        return numbers.transpose(2, 0, 1)
    if numbers.ndim == 3 and numbers.shape == (spec.channels, *size):
        return numbers
    if numbers.ndim == 3 and numbers.shape[2] == spec.channels:
        _check_size(numbers.shape[0], numbers.shape[1], spec, field)
    if numbers.ndim == 3 and numbers.shape[0] == spec.channels:
        _check_size(numbers.shape[1], numbers.shape[2], spec, field)
    shape = "x".join(map(str, numbers.shape))
    needs = f"{spec.height}x{spec.width}" + (f"x{spec.channels}" if spec.channels > 1 else "")
    raise RequestError(f"{field}: got numbers of shape {shape}; needs {needs}")


def _check_size(height: int, width: int, spec: ImageSpec, field: str) -> None:
    if (height, width) != (spec.height, spec.width):
        raise _wrong_size(height, width, spec, field)


def _wrong_size(height: int, width: int, spec: ImageSpec, field: str) -> RequestError:
    return RequestError(f"{field}: got {height}x{width} pixels (height x width); needs {spec.height}x{spec.width}")


def _what(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
