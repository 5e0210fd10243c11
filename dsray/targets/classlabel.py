"""Labels that files hold as numbers beside a list of names: ClassLabel columns of Hugging Face `datasets`.

The library writes the list into the metadata of the Arrow schema; 0 stands for its first name, -1 for no label.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dsray.base import RequestError

Names = tuple[str, ...]
"""The name of 0, of 1, ..."""

_FOREIGN, _FILES, _READ = b"huggingface", b"dsray.names", b"dsray.names_read"


def names_in(schema: pa.Schema) -> dict[str, Names]:
    """Column -> its names, for the ClassLabel columns of one file; metadata that is not of this form has none."""
    try:
        features = json.loads((schema.metadata or {})[_FOREIGN])["info"]["features"]
        found = {column: about["names"] for column, about in features.items() if about.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return {column: tuple(names) for column, names in found.items() if _is_list(names)}


def _is_list(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(n, str) for n in names) and len(set(names)) == len(names) > 0


def with_names(table: pa.Table, files: Sequence[dict[str, Names]]) -> pa.Table:
    """The rows of several files, with what `names_in` found in each of them noted in the schema."""
    columns = dict.fromkeys(column for found in files for column in found)
    noted = {column: list(dict.fromkeys(found.get(column) for found in files)) for column in columns}
    return _noted(table, _FILES, noted) if noted else table


def names_of(table: pa.Table, column: str, where: str) -> Names | None:
    """The names of a column of whole numbers, None where it has none. where: what errors call the rows.

    Files of which some have other names or none are a RequestError.
    """
    if not _holds_numbers(table.column(column)):
        return None
    noted = json.loads((table.schema.metadata or {}).get(_FILES, b"{}")).get(column)
    if noted is None:
        return names_in(table.schema).get(column)  # a table of `datasets` itself
    if len(noted) > 1:
        raise RequestError(
            f"{where}: the files name the numbers of column '{column}' differently "
            f"({_spelt(noted[0])} in one, {_spelt(noted[1])} in another); write all with one list of names"
        )
    return tuple(noted[0])


def named(table: pa.Table, column: str, names: Names, where: str) -> pa.Table:
    """The table with the numbers of `column` replaced by their names, null for -1; `names` is noted in its schema."""
    numbers = table.column(column).cast(pa.int64(), safe=False)
    outside = numbers.filter(pc.or_(pc.less(numbers, -1), pc.greater_equal(numbers, len(names))))
    if len(outside):
        raise RequestError(
            f"{where}: column '{column}' holds {outside[0].as_py()}, but has {len(names)} names only ({_spelt(names)}); "
            "give numbers with names, or the names themselves"
        )
    places = pc.if_else(pc.less(numbers, 0), pa.scalar(None, pa.int64()), numbers).combine_chunks()
    found = pa.array(names, pa.string()).take(places)
    table = table.set_column(table.column_names.index(column), column, found)
    return _noted(table, _READ, {column: names})


def named_by(table: pa.Table, column: str, names: Names, where: str) -> pa.Table:
    """`named`, for numbers that come without names of their own; a RequestError where they may be names themselves."""
    if not _holds_numbers(table.column(column)):
        return table
    if any(n != str(i) for i, n in enumerate(names)) and any(n.lstrip("-").isdecimal() for n in names):
        raise RequestError(
            f"{where}: column '{column}' holds numbers without names, and {_spelt(names)} elsewhere; a number may be meant "
            "as either, so write the names as text"
        )
    return named(table, column, names, where)


def _noted(table: pa.Table, key: bytes, value: object) -> pa.Table:
    return table.replace_schema_metadata({**(table.schema.metadata or {}), key: json.dumps(value)})


def names_read(table: pa.Table, column: str) -> Names:
    """By which names `named` has read a column; empty where it held none."""
    return tuple(json.loads((table.schema.metadata or {}).get(_READ, b"{}")).get(column, ()))


def names_of_splits(tables: dict[str, pa.Table], column: str) -> tuple[dict[str, pa.Table], list[str]]:
    """The splits with the numbers of `column` replaced by names, and what is to be said of it.

    Each split is read by its own names; one that has none by those of the training rows, or by the only ones there are.
    """
    own = {split: names_of(table, column, f"data.source.{split}") for split, table in tables.items()}
    lists = list(dict.fromkeys(names for names in (own["train"], *own.values()) if names))
    if not lists:
        return tables, []
    if own["train"] is None and len(lists) > 1:
        raise RequestError(
            f"data.label: the splits name the numbers of column '{column}' differently ({_spelt(lists[0])} in one, "
            f"{_spelt(lists[1])} in another), and those of the training rows have no names; give them names"
        )
    found, notes = {}, [f"the classes are the names that go with the numbers of column '{column}': {_spelt(lists[0])}"]
    for split, table in tables.items():
        where, names = f"data.source.{split}", own[split]
        found[split] = named(table, column, names, where) if names else named_by(table, column, lists[0], where)
        if names is None and found[split] is not table:
            notes.append(
                f"the numbers of column '{column}' in the {split} rows come without names; read by the same list"
            )
        if names and names != lists[0]:
            notes.append(f"the {split} rows have a list of their own: {_spelt(names)}; they are read by it")
    if nulls := found["train"].column(column).null_count - tables["train"].column(column).null_count:
        raise RequestError(f"data.label: column '{column}' is -1, no label, in {nulls:,} training rows; remove them")
    return found, notes


def _spelt(names: Sequence[str] | None) -> str:
    if not names:
        return "no names"
    some = ", ".join(f"{i} is {name!r}" for i, name in enumerate(names[:3]))
    return some + (f", ... {len(names) - 1} is {names[-1]!r}" if len(names) > 3 else "")


def _holds_numbers(column: pa.ChunkedArray) -> bool:
    """Whole numbers, also where nulls have made floats of them."""
    if pa.types.is_floating(column.type):
        wide = column.cast(pa.float64())
        return bool(pc.all(pc.equal(wide, pc.round(wide))).as_py())
    return pa.types.is_integer(column.type)
