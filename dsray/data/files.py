"""Files given to `dsray predict` -> raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pyarrow as pa

from dsray.base import RequestError, nearest
from dsray.data.schema import Schema
from dsray.data.sources.csv import Csv
from dsray.data.sources.parquet import PARQUET
from dsray.data.sources.shards import different
from dsray.data.sources.values import Values
from dsray.inputs import SPECS, InputSpec


def read_rows(path: Path, schema: Schema) -> pa.Table:
    """The rows of a file with the schema's columns, for `prepare_table`; the target's column may be absent.

    path: a Parquet file or a folder of them; a CSV file, whose columns each kind of input reads in its own way; or, where
        the model has one input and its kind has files of its own (`InputSpec.suffixes`), such a file or a folder of them
        (column `file` tells them apart). Anything else is a RequestError.
    """
    if not path.exists():
        raise RequestError(
            f"'{path}' does not exist; needs a Parquet, CSV or {' or '.join(_suffixes(schema))} file, or a folder of them"
        )
    if PARQUET.holds(path):
        return _checked(PARQUET.read(path, "file"), path, schema)
    for kind, suffixes in _suffixes(schema).items():
        if Values(suffixes).holds(path):
            return _values(path, kind, suffixes, schema)
    csv = Csv({column: kind for spec in schema.inputs.values() for column, kind in spec.csv_types().items()})
    if csv.holds(path):
        return _checked(_from_csv(csv, path, schema), path, schema)
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


def _values(path: Path, kind: str, suffixes: tuple[str, ...], schema: Schema) -> pa.Table:
    """Files that hold one value each, for a model whose only input is of their kind."""
    own = [spec for spec in schema.inputs.values() if spec.kind == kind]
    if not own:
        raise RequestError(
            f"'{path}': this model reads no {kind}; give a Parquet or CSV file with column '{_names(schema)}'"
        )
    columns = [column for spec in schema.inputs.values() for column in spec.columns]
    if others := [column for column in columns if column not in own[0].columns]:
        raise RequestError(
            f"'{path}': this model reads '{others[0]}' too; give a Parquet or CSV file with {_names(schema)}"
        )
    return Values(suffixes, own[0].columns[0]).read(path, f"'{path}'")


def _from_csv(csv: Csv, path: Path, schema: Schema) -> pa.Table:
    table = csv.read(path, f"'{path}'")
    target = schema.target
    _once(table, target.column, path)
    if target.column in table.column_names:
        table = target.of_csv(table, csv.as_written(path, target.column), path)
    read = set()  # two inputs may read one column, which is made of its text once
    for spec in schema.inputs.values():
        if set(spec.columns) <= set(table.column_names) and (spec.kind, spec.columns) not in read:
            read.add((spec.kind, spec.columns))
            for column in spec.columns:
                _once(table, column, path)
            table = spec.from_csv(table, path)
    return table


def _checked(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    for spec, column in [(part, column) for part in schema.inputs.values() for column in part.columns]:
        _in_all_files(table, column)
        if column not in table.column_names:
            raise RequestError(f"'{path}' has no column '{column}'; {nearest(column, table.column_names)}")
        _once(table, column, path)
        if needs := spec.fault(column, found := table.schema.field(column).type):
            raise RequestError(f"'{path}': column '{column}' holds {found}; needs {needs}")
    target = schema.target
    _in_all_files(table, target.column)
    _once(table, target.column, path)
    there = target.column in table.column_names
    if there and (needs := target.fault(found := table.schema.field(target.column).type)):
        raise RequestError(f"'{path}': column '{target.column}' holds {found}; needs {needs}")
    if not len(table):
        raise RequestError(f"'{path}' has no rows")
    return target.of_file(table, f"'{path}'") if there else table


def _in_all_files(table: pa.Table, column: str) -> None:
    if reason := different(table, column):
        raise RequestError(reason)


def _once(table: pa.Table, column: str, path: Path) -> None:
    if (times := table.column_names.count(column)) > 1:
        raise RequestError(f"'{path}' has {times} columns '{column}'; rename all but one")


def _names(schema: Schema) -> str:
    return " and ".join(column for spec in schema.inputs.values() for column in spec.columns)
