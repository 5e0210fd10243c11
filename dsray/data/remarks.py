"""What a user should know of the prepared rows before believing a figure, as sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from dsray.data.prepared import Prepared


def remarks_on(data: Prepared) -> Iterator[str]:
    """What the target gives reason to say, and rows of a split that also stand in training."""
    yield from data.schema.target.remarks({s: data.columns["target"][rows] for s, rows in data.splits.items()})
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
    targets = data.columns["target"]
    labels: dict[bytes, set[bytes]] = {}
    for row in train[np.isin(sums[train], sums[rows])].tolist():
        labels.setdefault(_content(data, row), set()).add(targets[row].tobytes())
    again = otherwise = 0
    for row in rows[np.isin(sums[rows], sums[train])].tolist():
        if (found := labels.get(_content(data, row))) and any(_present(data, row)):
            again += 1
            asked = data.schema.target.labelled(targets[row : row + 1])[0]
            otherwise += bool(asked) and targets[row].tobytes() not in found
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
