"""Epsilon: the radius of an attack, always in input-range units."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from dsray.base import RequestError
from dsray.base.fraction import FRACTION, fraction


def check_epsilon(value: float, field: str = "epsilon") -> float:
    """`value` itself when it lies in [0, 1]; otherwise a RequestError that names `field`."""
    try:
        return _in_range(value)
    except ValueError as error:
        raise RequestError(f"{field}: {error}") from None


def _in_range(value: float) -> float:
    if not (math.isfinite(value) and 0 <= value <= 1):
        example = f"{value:g}/255 = {value / 255:.4f}" if 1 < value <= 255 else "8/255 = 0.0314"
        raise ValueError(f"must be in input-range units, 0 to 1; got {value:g}; write {example}")
    return value


Epsilon = Annotated[
    float,
    BeforeValidator(fraction),
    AfterValidator(_in_range),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": FRACTION}]},
        mode="validation",
    ),
]
"""A radius in input-range units, 0 to 1; `8/255` is understood in an experiment file."""
