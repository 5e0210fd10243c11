"""The files of one folder as one table: what they share is joined, and what differs is told where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

_DIFFERENT = b"dsray.different"


def joined(files: Mapping[Path, pa.Table]) -> pa.Table:
    """All rows, file after file, with the columns that every file has once and in types that one type can hold.

    Order and width of the columns may differ. The others are left out; `different` knows why.
    """
    if len(files) == 1:
        return next(iter(files.values()))
    columns: dict[str, pa.ChunkedArray] = {}
    reasons: dict[str, str] = {}
    for name in dict.fromkeys(name for table in files.values() for name in table.column_names):
        found = _column(files, name)
        if isinstance(found, str):
            reasons[name] = found
        else:
            columns[name] = found
    return pa.table(columns, metadata={_DIFFERENT: json.dumps(reasons)} if reasons else None)


def different(table: pa.Table, column: str) -> str | None:
    """How the files differ in a column that `joined` left out for it, as a sentence; None for any other."""
    found: dict[str, str] = json.loads((table.schema.metadata or {}).get(_DIFFERENT, b"{}"))
    return found.get(column)


def _column(files: Mapping[Path, pa.Table], name: str) -> pa.ChunkedArray | str:
    """The column of all files, or how they differ in it."""
    kinds: dict[pa.DataType, Path] = {}
    for file, table in files.items():
        if (times := table.column_names.count(name)) != 1:
            return f"'{file}' has {f'{times} columns' if times else 'no column'} '{name}'; needs one in every file"
        kinds.setdefault(table.schema.field(name).type, file)
    try:
        parts = [table.select([name]) for table in files.values()]
        return pa.concat_tables(parts, promote_options="permissive").column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        (one, first), (two, second) = list(kinds.items())[:2]
        return f"column '{name}' holds {one} in '{first}' and {two} in '{second}'; needs one type in all files"
