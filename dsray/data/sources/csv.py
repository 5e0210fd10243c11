"""CSV files: a line of column names, then rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.csv

from dsray.base import RequestError
from dsray.data.sources.format import Format

_BLOCKS = pyarrow.csv.ReadOptions(block_size=2**24)  # bytes; no value may be longer
_LINES = pyarrow.csv.ParseOptions(newlines_in_values=True)


@final
@dataclass(frozen=True)
class Csv(Format):
    """CSV with quoted line breaks; an empty value that is not quoted is null. types: of columns that need not be guessed."""

    types: Mapping[str, pa.DataType]

    def holds(self, path: Path) -> bool:
        return path.suffix.lower() == ".csv"

    def read(self, path: Path, field: str) -> pa.Table:
        try:
            return self._read(path, quoted_strings_can_be_null=False)
        except pa.ArrowInvalid as error:
            raise RequestError(f"{field} is not a CSV file with a line of column names ({error})") from None

    def as_written(self, path: Path, column: str) -> pa.ChunkedArray:
        """A column of a file that can be read, as strings."""
        return Csv({column: pa.string()})._read(path, include_columns=[column]).column(column)

    def _read(self, path: Path, **options: object) -> pa.Table:
        options = {"column_types": self.types, "strings_can_be_null": True, "null_values": [""], **options}
        return pyarrow.csv.read_csv(path, _BLOCKS, _LINES, pyarrow.csv.ConvertOptions(**options))
