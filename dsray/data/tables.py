"""Raw tables of the three splits, checked against the configuration."""

from __future__ import annotations

import pyarrow as pa

from dsray.base import RequestError, nearest
from dsray.data.config import DataConfig
from dsray.data.holdout import another_share, hold_out
from dsray.data.origin import names_of_numbers, number
from dsray.data.sources.shards import different
from dsray.data.sources.source import SPLITS, same_files
from dsray.inputs import InputConfig


def load_tables(config: DataConfig, seed: int = 0, notes: list[str] | None = None) -> dict[str, pa.Table]:
    """`train`, `validation` and `test` with the columns in use, their rows numbered as the source gave them.

    seed: decides which training rows are held out where the source has no validation split. notes: gets sentences
    about the rows that a user should know before believing a figure.
    """
    notes = [] if notes is None else notes
    tables = config.source.tables()
    if missing := [split for split in ("train", "test") if not len(tables.get(split, ()))]:
        raise RequestError(f"data.source: source '{config.source.kind}' gave no {missing[0]} rows")
    for split, table in tables.items():
        check_columns(config, table, split)
        tables[split] = number(table, split)
    notes += same_files(config.source.contents())
    tables, said = config.target.unified(tables)
    notes += said
    if "validation" not in tables:
        tables["train"], tables["validation"] = hold_out(tables["train"], config, seed)
        notes += another_share(len(tables["train"]), len(tables["validation"]), config)
    wanted = _columns(config)
    return _alike({split: tables[split].select(wanted + names_of_numbers(tables[split])) for split in SPLITS}, config)


def _alike(tables: dict[str, pa.Table], config: DataConfig) -> dict[str, pa.Table]:
    """The tables with one type for each column but the encoded ones, which nothing reads but their kind of input."""
    encoded = {column for part in config.inputs.values() for column in part.encoded}
    for i, name in enumerate(next(iter(tables.values())).column_names):
        fields = {split: table.schema.field(i) for split, table in tables.items()}
        if len({field.type for field in fields.values()}) < 2 or name in encoded:
            continue
        try:
            schemas = [pa.schema([field]) for field in fields.values()]
            kind = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
            tables = {s: table.set_column(i, name, table.column(i).cast(kind)) for s, table in tables.items()}
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            found = ", ".join(f"{field.type} in the {split} rows" for split, field in fields.items())
            raise RequestError(f"data.source: column '{name}' holds {found}; needs one type in all") from None
    return tables


def _columns(config: DataConfig) -> list[str]:
    inputs = [column for part in config.inputs.values() for column in part.columns]
    return list(dict.fromkeys([*inputs, config.target.column, *config.show]))


def check_columns(config: DataConfig, table: pa.Table, split: str) -> None:
    """Every column that the configuration names exists in `table` and is of the right type, or a RequestError."""
    group = config.group if split == "train" else None
    read = [(name, part, column) for name, part in config.inputs.items() for column in part.columns]
    named = [(config.target_field, config.target.column)]
    named += [(f"{config.field(name)}.{_key(part, column)}", column) for name, part, column in read]
    named += [] if group is None else [("data.group", group)]
    named += [(f"data.show.{i}", name) for i, name in enumerate(config.show)]
    for field, name in named:
        if reason := different(table, name):
            raise RequestError(f"{field}: {reason}")
        if name not in table.column_names:
            hint = nearest(name, table.column_names)
            raise RequestError(f"{field}: the {split} rows have no column '{name}'; {hint}")
        if (times := table.column_names.count(name)) > 1:
            raise RequestError(f"{field}: the {split} rows have {times} columns '{name}'; rename all but one")
    if group is not None and pa.types.is_nested(found := table.schema.field(group).type):
        raise RequestError(f"data.group: '{group}' holds {found}; needs numbers or text")
    target = config.target
    if needs := target.fault(found := table.schema.field(target.column).type):
        raise RequestError(f"{config.target_field}: column '{target.column}' holds {found}; needs {needs}")
    for name, part, column in read:
        if needs := part.fault(column, found := table.schema.field(column).type):
            raise RequestError(f"{config.field(name)}.{_key(part, column)}: '{column}' holds {found}; needs {needs}")


def _key(part: InputConfig, column: str) -> str:
    """The key of an input's config that names a column."""
    found = {
        key: value
        for key, value in part
        if key != "kind" and (value == column or (isinstance(value, tuple) and column in value))
    }
    return next(iter(found), "column")
