"""A table as a file, in the format that its suffix names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from dsray.base import RequestError
from dsray.base.aside import replacing_file

SEPARATOR = ";"
"""Between the values of a list in CSV."""


def _write_json_lines(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in table.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(table: pa.Table, path: Path) -> None:
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            names = table.column(i).cast(pa.list_(pa.string()))
            _check_separable(names, field.name)
            table = table.set_column(i, field.name, pc.binary_join(names, SEPARATOR))
    pyarrow.csv.write_csv(table, path)


def _check_separable(lists: pa.ChunkedArray, column: str) -> None:
    values = pc.list_flatten(lists)
    inside = values.filter(pc.match_substring(values, SEPARATOR))
    if len(inside):
        raise RequestError(
            f"out: column '{column}' holds {inside[0].as_py()!r}, and '{SEPARATOR}' stands between the values of a list in CSV; "
            "give a file .parquet or .jsonl"
        )


_WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": pq.write_table,
    ".jsonl": _write_json_lines,
}


def check_out(path: Path) -> None:
    """A RequestError unless `path` is a file that may be written: .csv, .parquet or .jsonl, in a folder that exists."""
    if not path.parent.is_dir():
        raise RequestError(f"out: {path} is in no folder that exists; give a file")
    if path.exists() and not path.is_file():
        raise RequestError(f"out: {path} is {'a folder' if path.is_dir() else 'no plain file'}; give a file")
    if path.suffix.lower() not in _WRITERS:
        raise RequestError(
            f"out: {path} has {f'the suffix {path.suffix}' if path.suffix else 'no suffix'}; "
            "needs .csv, .parquet or .jsonl (JSON lines)"
        )


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a table of numbers and text as CSV, Parquet or JSON lines, by suffix; the file appears whole or not at all.

    In CSV, null is an empty cell, empty text is `""`, and a list is its values with `;` between them.
    """
    try:
        with replacing_file(path) as aside:
            _WRITERS[path.suffix.lower()](table, aside)
    except OSError as error:
        raise RequestError(f"out: cannot write {path} ({os.strerror(error.errno or 0)}); give another path") from None
