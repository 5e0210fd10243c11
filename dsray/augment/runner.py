"""The runner of operations: an operation proposes, the runner keeps the rows what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsray.base import RunFailure
from dsray.noise import key_of

if TYPE_CHECKING:
    from dsray.protocols import Columns, Operation


def augment(columns: Columns, operations: Sequence[Operation], seed: int) -> Columns:
    """The columns after every operation in turn; a pure function of seed, row and epoch, whatever the company.

    Columns, types, shapes and row ids stay; missing modalities stay untouched; images stay in [0, 1].
    An operation that breaks any of it is a RunFailure that names it.
    """
    for index, operation in enumerate(operations):
        name = type(getattr(operation, "operation", operation)).__name__
        changed = operation(dict(columns), key_of(seed, index, name))
        columns = _kept(columns, changed, f"augment.operations.{index} ({name})")
    return columns


def _kept(before: Columns, after: Columns, name: str) -> Columns:
    if before.keys() != after.keys():
        raise RunFailure(f"{name}: gave columns {sorted(after)}; needs {sorted(before)}")
    for column, old in before.items():
        new = after[column]
        if new.dtype != old.dtype or new.shape != old.shape:
            raise RunFailure(f"{name}: gave '{column}' as {new.dtype} {new.shape}; needs {old.dtype} {old.shape}")
    for column in ("row", "epoch"):
        if after[column] is not before[column] and not np.array_equal(after[column], before[column]):
            raise RunFailure(f"{name}: changed '{column}'; rows must stay where they are")
    return {column: _value(column, before, after, name) for column in before}


def _value(column: str, before: Columns, after: Columns, name: str) -> np.ndarray:
    old, new = before[column], after[column]
    if new is old:
        return old
    if column == "image":
        if not np.isfinite(new).all():
            raise RunFailure(f"{name}: gave an image with values that are not finite")
        if new.min(initial=0) < 0 or new.max(initial=1) > 1:
            new = np.clip(new, 0, 1)
    present = before.get(f"present.{column}")
    if present is None or present.all():
        return new
    return np.where(present.reshape(-1, *[1] * (new.ndim - 1)), new, old)
