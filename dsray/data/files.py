"""Files given to `dsray predict` -> raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dsray.base import RequestError, nearest
from dsray.data.classlabel import named, named_by, names_of
from dsray.data.parquet import read_parquet
from dsray.data.schema import Schema
from dsray.data.shards import different
from dsray.data.tables import holds_labels
from dsray.inputs import SPECS, InputSpec

_BLOCKS = pyarrow.csv.ReadOptions(block_size=2**24)  # bytes; no value may be longer
_LINES = pyarrow.csv.ParseOptions(newlines_in_values=True)


def read_rows(path: Path, schema: Schema) -> pa.Table:
    """The rows of a file with the schema's columns, for `prepare_table`; the label column may be absent.

    path: a Parquet file or a folder of them; a CSV file, whose columns each kind of input reads in its own way; or, where
        the model has one input and its kind has files of its own (`InputSpec.suffixes`), such a file or a folder of them
        (column `file` tells them apart). Anything else is a RequestError.
    """
    if not path.exists():
        raise RequestError(
            f"'{path}' does not exist; needs a Parquet, CSV or {' or '.join(_suffixes(schema))} file, or a folder of them"
        )
    if path.is_dir() and any(path.rglob("*.parquet")):
        return _checked(read_parquet(path, "file"), path, schema)
    for kind, suffixes in _suffixes(schema).items():
        if files := _files_of(path, suffixes):
            return _read_values(files, kind, path, schema)
    if path.suffix.lower() == ".csv":
        return _checked(_read_csv(path, schema), path, schema)
    if path.suffix.lower() == ".parquet":
        return _checked(read_parquet(path, "file"), path, schema)
    known = [suffix for suffixes in _suffixes(schema).values() for suffix in suffixes]
    raise RequestError(f"'{path}' is none of .parquet, .csv, {', '.join(known)} or a folder of them")


def _suffixes(schema: Schema) -> dict[str, tuple[str, ...]]:
    """Kind of input -> suffixes of the files that hold one value of it each."""
    known: list[type[InputSpec] | InputSpec] = [
        *cast(list[type[InputSpec]], SPECS.members.values()),
        *schema.inputs.values(),
    ]
    found = {}
    for spec in known:
        kind = spec.kind if isinstance(spec, InputSpec) else spec.model_fields["kind"].default
        found[kind] = spec.suffixes
    return {kind: suffixes for kind, suffixes in found.items() if suffixes}


def _files_of(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if file.suffix.lower() in suffixes]


def _read_values(files: list[Path], kind: str, path: Path, schema: Schema) -> pa.Table:
    """Files that hold one value each, for a model whose only input is of their kind."""
    own = [spec for spec in schema.inputs.values() if spec.kind == kind]
    if not own:
        raise RequestError(
            f"'{path}': this model reads no {kind}; give a Parquet or CSV file with column '{_names(schema)}'"
        )
    if others := [column for spec in schema.inputs.values() if spec is not own[0] for column in spec.columns]:
        raise RequestError(
            f"'{path}': this model reads '{others[0]}' too; give a Parquet or CSV file with {_names(schema)}"
        )
    return pa.table({"file": [f.name for f in files], own[0].columns[0]: [f.read_bytes() for f in files]})


def _read_csv(path: Path, schema: Schema) -> pa.Table:
    types = {column: kind for spec in schema.inputs.values() for column, kind in spec.csv_types().items()}
    options = pyarrow.csv.ConvertOptions(
        column_types=types, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False
    )
    try:
        table = pyarrow.csv.read_csv(path, _BLOCKS, _LINES, options)
    except pa.ArrowInvalid as error:
        raise RequestError(f"'{path}' is not a CSV file with a line of column names ({error})") from None
    _once(table, schema.label, path)
    if schema.label in table.column_names:
        table = _label_as_written(table, path, schema)
    for spec in schema.inputs.values():
        if set(spec.columns) <= set(table.column_names):
            for column in spec.columns:
                _once(table, column, path)
            table = spec.from_csv(table, path)
    return table


def _label_as_written(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    """The label as text where that names a class: `01` is no number and `True` no truth value if classes are so called."""
    options = pyarrow.csv.ConvertOptions(
        include_columns=[schema.label],
        column_types={schema.label: pa.string()},
        strings_can_be_null=True,
        null_values=[""],
    )
    written = pyarrow.csv.read_csv(path, _BLOCKS, _LINES, options).column(schema.label)
    if not pc.any(pc.is_in(written, value_set=pa.array(schema.classes))).as_py():
        return table
    return table.set_column(table.column_names.index(schema.label), schema.label, written)


def _checked(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    for spec, column in [(part, column) for part in schema.inputs.values() for column in part.columns]:
        _in_all_files(table, column)
        if column not in table.column_names:
            raise RequestError(f"'{path}' has no column '{column}'; {nearest(column, table.column_names)}")
        _once(table, column, path)
        if needs := spec.fault(column, found := table.schema.field(column).type):
            raise RequestError(f"'{path}': column '{column}' holds {found}; needs {needs}")
    _in_all_files(table, schema.label)
    _once(table, schema.label, path)
    if schema.label in table.column_names and not holds_labels(found := table.schema.field(schema.label).type):
        raise RequestError(f"'{path}': column '{schema.label}' holds {found}; needs whole numbers, booleans or words")
    if not len(table):
        raise RequestError(f"'{path}' has no rows")
    return _label_by_name(table, path, schema) if schema.label in table.column_names else table


def _label_by_name(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    """The label column with its numbers replaced by the names that this file gives them, or those of the model."""
    names = names_of(table, schema.label, f"'{path}'")
    if names is not None and not set(names).isdisjoint(schema.classes):
        return named(table, schema.label, names, f"'{path}'")
    return named_by(table, schema.label, schema.label_names, f"'{path}'") if schema.label_names else table


def _in_all_files(table: pa.Table, column: str) -> None:
    if reason := different(table, column):
        raise RequestError(reason)


def _once(table: pa.Table, column: str, path: Path) -> None:
    if (times := table.column_names.count(column)) > 1:
        raise RequestError(f"'{path}' has {times} columns '{column}'; rename all but one")


def _names(schema: Schema) -> str:
    return " and ".join(column for spec in schema.inputs.values() for column in spec.columns)
