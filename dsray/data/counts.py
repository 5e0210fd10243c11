"""How many rows of each split are not quite what they seem: missing, cut, unknown.

The encoders mark such rows in columns `count.INPUT.WHAT` (bool) beside their own; here they are counted and put into
words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsray.data.arrays import targets_of
from dsray.data.schema import Schema

Counts = dict[str, dict[str, int]]
"""Input or `label` -> what -> rows; zeros included, which tell that it was counted."""

_MARK = "count."


def mark(table: pa.Table, name: str, marks: Mapping[str, np.ndarray | pa.Array]) -> pa.Table:
    """Adds a column for each of `marks` (what -> bool per row) of the input `name`."""
    for what, rows in marks.items():
        table = table.append_column(f"{_MARK}{name}.{what}", rows if isinstance(rows, pa.Array) else pa.array(rows))
    return table


def count_rows(table: pa.Table, schema: Schema) -> Counts:
    """What the encoders marked in a table of `prepare_table`.

    Every input has `missing`; `label` has `missing` and `unknown` (a class that no training row has, for instance), where the table
    has that column.
    """
    counts: Counts = {name: {"missing": _false(table.column(f"present.{name}"))} for name in schema.names}
    for column in table.column_names:
        if column.startswith(_MARK):
            name, _, what = column.removeprefix(_MARK).rpartition(".")
            counts[name][what] = _true(table.column(column))
    if f"raw.{schema.target.column}" in table.column_names:
        target = targets_of(table, schema)
        labelled, known = schema.target.labelled(target), schema.target.known(target)
        counts["label"] = {"missing": int((~labelled).sum()), "unknown": int((labelled & ~known).sum())}
    return counts


def lines(counts: Mapping[str, Counts], rows: Mapping[str, int]) -> Iterator[str]:
    """One line for each input and what of which a split has any: `text cut: 120 of 3,774 train rows (3.2 %)`.

    counts, rows: by split; a split of no name is just `rows`.
    """
    for name, what in dict.fromkeys((n, w) for found in counts.values() for n, whats in found.items() for w in whats):
        parts = []
        for split, found in counts.items():
            if some := found.get(name, {}).get(what, 0):
                parts.append(f"{some:,} of {rows[split]:,} {split} rows".replace("  ", " ") + _share(some, rows[split]))
        if parts:
            yield f"{name} {what}: {', '.join(parts)}"


def _share(some: int, rows: int) -> str:
    share = 100 * some / rows
    return f" ({share:.1f} %)" if share >= 0.05 else " (less than 0.1 %)"


def _true(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)


def _false(column: pa.ChunkedArray) -> int:
    return len(column) - _true(column)
