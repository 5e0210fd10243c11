"""Files given to `dsray predict` -> raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from dsray.base import RequestError, nearest
from dsray.data.classlabel import named, named_by, names_of
from dsray.data.schema import Schema
from dsray.data.sources.csv import Csv
from dsray.data.sources.parquet import PARQUET
from dsray.data.sources.shards import different
from dsray.data.sources.values import Values
from dsray.data.tables import holds_labels
from dsray.inputs import SPECS, InputSpec


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
    _once(table, schema.label, path)
    if schema.label in table.column_names:
        table = _label_as_written(csv, table, path, schema)
    read = set()  # two inputs may read one column, which is made of its text once
    for spec in schema.inputs.values():
        if set(spec.columns) <= set(table.column_names) and (spec.kind, spec.columns) not in read:
            read.add((spec.kind, spec.columns))
            for column in spec.columns:
                _once(table, column, path)
            table = spec.from_csv(table, path)
    return table


def _label_as_written(csv: Csv, table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    """The label as text where that names a class: `01` is no number and `True` no truth value if classes are so called."""
    written = csv.as_written(path, schema.label)
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
