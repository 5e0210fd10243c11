"""Columns of numbers: what may be one, what it holds, and how a number is written for people."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from dsray.base import RequestError

RESOLUTION = 1e-4
"""Share of the standard deviation that float64 must tell apart at the size of the numbers."""
SMALL, LARGE = 1e-4, 1e9
"""Spreads between which numbers are written with all of their digits."""
LARGEST = 1e300
"""Numbers of which float64 holds every difference."""
FARTHEST = 1e18
"""Standard deviations from the mean within which the square of a float32 is a number."""


def holds_numbers(kind: pa.DataType) -> bool:
    """Whole numbers, floats and decimals, in a dictionary or not; no booleans and no dates. A column of nulls has no type."""
    bare = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    return any(test(bare) for test in tests)


def as_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) float64; NaN for null. Whole numbers beyond 2^53 are rounded, which `centred` looks at."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.float64(), safe=False).to_numpy()


def centred(values: np.ndarray, column: str, field: str) -> tuple[float, float]:
    """(mean, standard deviation) of the training rows; a RequestError where they cannot be learnt from."""
    if none := int(np.isnan(values).sum()):
        raise RequestError(f"{field}: column '{column}' is null or NaN in {none:,} training rows; remove them")
    refuse_infinite(values, column, field)
    largest = float(np.abs(values).max())
    unit = math.ldexp(1.0, min(math.frexp(largest)[1], 1000))  # so that no square is beyond float64
    mean, scale = unit * float((values / unit).mean()), unit * float((values / unit).std())
    if values.min() == values.max() and largest < 2**53:
        raise RequestError(
            f"{field}: column '{column}' holds {values[0]:g} in every training row; there is nothing to estimate"
        )
    if largest > LARGEST or np.spacing(largest) > RESOLUTION * scale:
        raise RequestError(
            f"{field}: column '{column}' holds numbers up to {largest:g} that lie {scale:g} from their mean, which "
            "float64 does not tell apart; subtract a constant or give other units"
        )
    standard = ((values - mean) / scale).astype(np.float32)
    if len(np.unique(standard)) < len(np.unique(values)) / 2:
        raise RequestError(
            f"{field}: column '{column}' holds numbers up to {largest:g}, beside which most others are the same in float32; "
            "remove what lies so far out, or give logarithms"
        )
    return mean, scale


def refuse_infinite(values: np.ndarray, column: str, field: str) -> None:
    """A RequestError where a number is infinite."""
    if some := int(np.isinf(values).sum()):
        raise RequestError(
            f"{field}: column '{column}' is infinite in {some:,} row{'' if some == 1 else 's'}; give numbers, or null for none"
        )


def written(value: float, scale: float) -> str:
    """A number to three digits of `scale`, the spread of its column."""
    if not SMALL <= scale < LARGE:
        return f"{value:.4g}"
    return f"{value:,.{max(0, math.ceil(2 - math.log10(scale)))}f}"


def tolerated(tolerance: float, scale: float) -> str:
    """A tolerance as `written`, but where too little of it would be left: 0.4, and not 0."""
    found = written(tolerance, scale)
    return found if abs(float(found.replace(",", "")) - tolerance) <= 0.01 * tolerance else f"{tolerance:.3g}"


def told(value: float, scale: float) -> float:
    """A number that was kept as a float32 of so many `scale`, without the digits that this does not hold."""
    return round(value, math.floor(-math.log10(scale * 2.0**-23)))
