"""The runner of operations: an operation proposes, the runner keeps the rows what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsray.base import RunFailure
from dsray.base.noise import key_of

if TYPE_CHECKING:
    from dsray.base.protocols import Columns, Operation


def augment(columns: Columns, operations: Sequence[Operation], seed: int, stage: str) -> Columns:
    """The columns after every operation in turn; a pure function of seed, stage, row and epoch, whatever the company.

    Columns, types, shapes and row ids stay; missing modalities stay untouched; images stay in [0, 1].
    An operation that breaks any of it is a RunFailure that names it.
    """
    for index, operation in enumerate(operations):
        kind = type(getattr(operation, "operation", operation)).__name__
        name = f"augment.operations.{index} ({kind})"
        given = _read_only(columns)
        changed = operation(dict(given), key_of(seed, stage, index, kind))
        _check(given, changed, name)
        columns = {
            column: old if changed[column] is given[column] else _value(column, columns, changed[column], name)
            for column, old in columns.items()
        }
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


def _value(column: str, before: Columns, new: np.ndarray, name: str) -> np.ndarray:
    """What the operation may change: rows where the modality is present, images within [0, 1]."""
    if column == "image":
        if not np.isfinite(new).all():
            raise RunFailure(f"{name}: gave an image with values that are not finite")
        if new.min(initial=0) < 0 or new.max(initial=1) > 1:
            new = np.clip(new, 0, 1)
    present = before.get(f"present.{column}")
    if present is None or present.all():
        return new
    return np.where(present.reshape(-1, *[1] * (new.ndim - 1)), new, before[column])
