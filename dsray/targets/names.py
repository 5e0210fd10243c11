"""Names of classes, and the numbers that stand for them."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsray.base import RequestError

UNKNOWN, UNLABELLED = -1, -2
"""Targets of rows that have no class of the model: one that the training rows do not have, and no label at all."""

MOST = 10_000


def as_names(column: pa.ChunkedArray) -> pa.Array:
    """The values of a label column as text; null stays null, and -0.0 is 0."""
    values = column.combine_chunks()
    if pa.types.is_floating(values.type):
        values = pc.add(values.cast(pa.float64()), 0.0)
    return values.cast(pa.string())


def holds_names(kind: pa.DataType) -> bool:
    """Anything but nested values and bytes."""
    bare = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return not (bare or pa.types.is_nested(kind))


def class_names(column: pa.ChunkedArray, label: str, field: str = "data.label") -> tuple[str, ...]:
    """The classes of the training rows: numbers in order of value, then words in order of letters.

    label: the name of the column. field: what errors call it.
    """
    if column.null_count:
        raise RequestError(f"{field}: column '{label}' is null in {column.null_count} training rows; remove them")
    if not holds_names(column.type):
        raise RequestError(f"{field}: column '{label}' holds {column.type}; needs whole numbers, booleans or words")
    names = pc.unique(as_names(column)).to_pylist()
    if pa.types.is_floating(column.type) and not _whole(column):
        raise RequestError(
            f"{field}: column '{label}' holds fractions or NaN ({column.type}); needs whole numbers, booleans or words"
        )
    if not 2 <= len(names) <= MOST:
        raise RequestError(
            f"{field}: column '{label}' holds {len(names)} different values ({column.type}); "
            f"needs 2 to {MOST:,} classes"
        )
    return tuple(sorted(names, key=numbers_first))


def _whole(column: pa.ChunkedArray) -> bool:
    column = column.cast(pa.float64())  # Arrow rounds no half floats
    return bool(pc.all(pc.equal(column, pc.round(column))).as_py())


def numbers_first(name: str) -> tuple[bool, float, str]:
    """A key to sort by: numbers in order of value, then words in order of letters."""
    try:
        value = float(name)
    except ValueError:
        value = math.nan
    return (False, value, name) if math.isfinite(value) else (True, 0.0, name)


def encoded(column: pa.ChunkedArray, classes: tuple[str, ...]) -> np.ndarray:
    """(rows,) int64: the index of the class, UNKNOWN for another class, UNLABELLED for null."""
    names = as_names(column)
    found = pc.index_in(names, value_set=pa.array(classes, pa.string()), skip_nulls=True)
    missing = names.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, UNLABELLED, found.fill_null(UNKNOWN).to_numpy().astype(np.int64))
