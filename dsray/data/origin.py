"""Where the rows of a table came from, for the sentence that says what is wrong with one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dsray.base import RequestError
from dsray.inputs.fault import RowFault

if TYPE_CHECKING:
    from dsray.data.sources.source import SourceConfig

_COLUMN = "dsray.row."


def number(table: pa.Table, split: str) -> pa.Table:
    """Adds the position of each row in `split`, by which it is found again when rows were held out or cut in blocks."""
    return table.append_column(_COLUMN + split, pa.array(np.arange(len(table), dtype=np.int64)))


def names_of_numbers(table: pa.Table) -> list[str]:
    """The column that `number` added, if any."""
    return [name for name in table.column_names if name.startswith(_COLUMN)]


@contextmanager
def numbered(table: pa.Table) -> Iterator[pa.Table]:
    """The table without its numbers; a RowFault inside tells the row's split and its position there."""
    names = names_of_numbers(table)
    try:
        yield table.drop_columns(names)
    except RowFault as fault:
        if not names:
            raise
        row, split = table.column(names[0])[fault.row].as_py(), names[0].removeprefix(_COLUMN)
        raise RowFault(fault.field, fault.column, row, fault.what, split) from None


@contextmanager
def rows_named_by(source: SourceConfig) -> Iterator[None]:
    """A RowFault inside becomes a RequestError that names the row as `source` does, with its file."""
    try:
        yield
    except RowFault as fault:
        if fault.split is None:
            raise
        raise RequestError(fault.sentence(source.place(fault.split, fault.row))) from None
