"""What a user should know of the prepared rows before believing a figure, as sentences."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np

from dsray.data.labels import UNLABELLED
from dsray.data.prepared import Prepared

MANY_NUMBERS = 100
"""More classes than this that are all numbers look like an amount."""


def remarks_on(data: Prepared) -> Iterator[str]:
    """Classes that look like no classes, classes that a split lacks, and rows of a split that also stand in training."""
    names, targets = data.schema.classes, {s: data.columns["target"][rows] for s, rows in data.splits.items()}
    yield from _labels(data.schema.label, names, len(targets["train"]))
    counts = {s: np.bincount(target[target >= 0], minlength=len(names)) for s, target in targets.items()}
    for split in ("validation", "test"):
        yield from _absent(split, names, counts[split], counts["train"])
    sums = _sums(data)
    for split in ("validation", "test"):
        again, otherwise = repeated(data, split, sums)
        if again:
            yield _repeated(again, otherwise, len(data.splits[split]), split, " and ".join(data.schema.names))


def repeated(data: Prepared, split: str, sums: np.ndarray | None = None) -> tuple[int, int]:
    """How many rows of a split have the inputs of a training row, and how many of those a label that none of these has.

    A row of which every input is missing is none of them, and one without a label has no other. sums: (rows,) of
    all rows, equal where the inputs are; found here unless given.
    """
    sums = _sums(data) if sums is None else sums
    train, rows = data.splits["train"], data.splits[split]
    labels: dict[bytes, set[int]] = {}
    for row in train[np.isin(sums[train], sums[rows])].tolist():
        labels.setdefault(_content(data, row), set()).add(int(data.columns["target"][row]))
    again = otherwise = 0
    for row in rows[np.isin(sums[rows], sums[train])].tolist():
        if (found := labels.get(_content(data, row))) and any(_present(data, row)):
            again += 1
            target = int(data.columns["target"][row])
            otherwise += target != UNLABELLED and target not in found
    return again, otherwise


def _sums(data: Prepared) -> np.ndarray:
    """(rows,) uint64: equal inputs have equal sums, and few others, so that few rows need a closer look."""
    total = np.zeros(len(data), dtype=np.uint64)
    for name in data.schema.tensors:
        flat = np.ascontiguousarray(data.columns[name]).reshape(len(data), -1)
        words = flat.view(np.uint64 if flat.shape[1] * flat.itemsize % 8 == 0 else np.uint8)
        total = total * np.uint64(0x9E3779B97F4A7C15) + words.sum(axis=1, dtype=np.uint64)
    return total


def _content(data: Prepared, row: int) -> bytes:
    """What the model reads of a row, hashed."""
    content = hashlib.blake2b(bytes(_present(data, row)), digest_size=16)
    for name in data.schema.tensors:
        content.update(data.columns[name][row].tobytes())
    return content.digest()


def _present(data: Prepared, row: int) -> list[bool]:
    return [bool(data.columns[f"present.{name}"][row]) for name in data.schema.names]


def _repeated(again: int, otherwise: int, rows: int, split: str, inputs: str) -> str:
    other = f"; {otherwise:,} of them {'has' if otherwise == 1 else 'have'} another label there" if otherwise else ""
    return (
        f"{again:,} of the {rows:,} {split} rows also {'stands' if again == 1 else 'stand'} in training, with the same "
        f"{inputs} as the model reads them{other}"
    )


def _labels(label: str, names: Sequence[str], rows: int) -> Iterator[str]:
    numbers = [number for name in names if (number := _number(name)) is not None]
    lonely = rows < 1.5 * len(names)
    if len(numbers) == len(names) and (lonely or len(names) > MANY_NUMBERS):
        yield (
            f"the label '{label}' holds {len(names):,} different numbers, {min(numbers):g} to {max(numbers):g}, in "
            f"{rows:,} training rows; each is a class of its own, but they look like an amount to be estimated"
        )
    elif lonely:
        yield (
            f"the label '{label}' has {len(names):,} classes for {rows:,} training rows, about one row each; they look "
            "like names of the rows and not like classes"
        )


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _absent(split: str, names: Sequence[str], here: np.ndarray, train: np.ndarray) -> Iterator[str]:
    absent = np.flatnonzero(here == 0)
    if not len(absent):
        return
    some = ", ".join(repr(names[i]) for i in absent[:3]) + (", ..." if len(absent) > 3 else "")
    single = int((train[absent] == 1).sum())
    more = f"; {single:,} of them {'has' if single == 1 else 'have'} a single training row" if single else ""
    yield f"{len(absent):,} of the {len(names):,} classes ({some}) {'has' if len(absent) == 1 else 'have'} no {split} row{more}"
