"""The runner of operations: an operation proposes, the runner keeps the rows what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsray.base import RunFailure
from dsray.base.errors import a
from dsray.base.noise import key_of
from dsray.inputs import flat

if TYPE_CHECKING:
    from dsray.base.protocols import Columns, Operation
    from dsray.data.schema import Schema
    from dsray.inputs import TensorSpec


def augment(columns: Columns, operations: Sequence[Operation], schema: Schema, seed: int, stage: str) -> Columns:
    """The columns after every operation in turn; a pure function of seed, stage, row and epoch, whatever the company.

    Columns, types, shapes and row ids stay; missing inputs stay untouched; what is continuous stays in its range.
    An operation that breaks any of it is a RunFailure that names it.
    schema: of the columns, which hold every tensor of its inputs as the model reads it.
    """
    inputs = {
        flat(name, part): (name, tensor)
        for name in schema.inputs
        for part, tensor in schema.inputs[name].tensors.items()
    }
    for index, operation in enumerate(operations):
        kind = type(getattr(operation, "operation", operation)).__name__
        name = f"augment.operations.{index} ({kind})"
        given = _read_only(columns)
        changed = operation(dict(given), key_of(seed, stage, index, kind))
        _check(given, changed, name)
        kept = dict(columns)
        for column, new in changed.items():
            if new is not given[column]:
                kept[column] = _value(column, columns, new, name, *inputs[column]) if column in inputs else new
        columns = kept
    return columns


def _read_only(columns: Columns) -> Columns:
    """Views that an operation cannot write into."""
    views = {name: values.view() for name, values in columns.items()}
    for view in views.values():
        view.flags.writeable = False
    return views


def _check(before: Columns, after: Columns, name: str) -> None:
    if before.keys() != after.keys():
        raise RunFailure(f"{name}: gave columns {sorted(after)}; needs {sorted(before)}")
    for column, old in before.items():
        new = after[column]
        if new.dtype != old.dtype or new.shape != old.shape:
            raise RunFailure(f"{name}: gave '{column}' as {new.dtype} {new.shape}; needs {old.dtype} {old.shape}")
    for column in ("row", "epoch", "target"):
        if column in before and not np.array_equal(after[column], before[column]):
            raise RunFailure(f"{name}: changed '{column}'; rows must stay what they are")


def _value(column: str, before: Columns, new: np.ndarray, name: str, input: str, tensor: TensorSpec) -> np.ndarray:
    """What the operation may change: rows where the input is present, continuous values within their range."""
    if tensor.range is not None:
        if not np.isfinite(new).all():
            raise RunFailure(f"{name}: gave {a(column)} with values that are not finite")
        low, high = tensor.range
        if new.min(initial=low) < low or new.max(initial=high) > high:
            new = np.clip(new, low, high)
    present = before[f"present.{input}"]
    if present.all():
        return new
    return np.where(present.reshape(-1, *[1] * (new.ndim - 1)), new, before[column])
