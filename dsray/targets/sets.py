"""Sets of names: a list column, or text with a separator; order and repeats do not matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsray.base import RequestError
from dsray.targets.names import MOST, as_names, holds_names, numbers_first

NEEDS = "lists of words or whole numbers, or words with a separator"


class Pairs(NamedTuple):
    """rows: (n,) int64, the row of each name. names: (n,) strings, null for one that is none. missing: (rows,) bool, null."""

    rows: np.ndarray
    names: pa.Array
    missing: np.ndarray


def holds_sets(kind: pa.DataType) -> bool:
    """Text, lists of what can be a name, or nothing but null."""
    if _is_list(kind):
        return holds_names(kind.value_type) and not pa.types.is_floating(kind.value_type)
    return pa.types.is_null(kind) or _is_text(kind)


def pairs_of(column: pa.ChunkedArray, separator: str) -> Pairs:
    """Every name of every row. separator: between the names of a text, around which spaces do not count."""
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_null(values.type):
        return Pairs(np.zeros(0, np.int64), pa.array([], pa.string()), missing)
    if not _is_list(values.type):
        values = pc.split_pattern(values.cast(pa.string()), separator)
    rows = pc.list_parent_indices(values).to_numpy().astype(np.int64)
    names = as_names(pa.chunked_array([pc.list_flatten(values)]))
    if _is_text(column.type):
        names = pc.utf8_trim_whitespace(names)
        given = pc.not_equal(names, "").to_numpy(zero_copy_only=False)
        rows, names = rows[given], names.filter(pa.array(given))
    return Pairs(rows, names, missing)


def label_names(column: pa.ChunkedArray, label: str, separator: str, field: str) -> tuple[str, ...]:
    """The labels of the training rows: numbers in order of value, then words in order of letters.

    label: the name of the column. field: what errors call it.
    """
    if column.null_count:
        raise RequestError(
            f"{field}: column '{label}' is null in {column.null_count:,} training rows; remove them, or give an empty list "
            "to a row that has no label"
        )
    names = pairs_of(column, separator).names
    if names.null_count:
        raise RequestError(f"{field}: lists of column '{label}' hold {names.null_count:,} nulls; remove them")
    if blank := pc.sum(pc.equal(pc.utf8_trim_whitespace(names), "")).as_py():
        raise RequestError(f"{field}: lists of column '{label}' hold {blank:,} labels without a letter; remove them")
    found = pc.unique(names).to_pylist()
    if not 1 <= len(found) <= MOST:
        raise RequestError(
            f"{field}: column '{label}' holds {len(found):,} different labels ({column.type}); needs 1 to {MOST:,}"
        )
    return tuple(sorted(found, key=numbers_first))


def rarest(pairs: Pairs, indices: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(rows,) int64: 1 + the label of each row that the fewest rows have, 0 for a row without any.

    indices: (n,) the label of each pair. counts: (labels,) rows that have each.
    """
    place = np.empty(len(counts), np.int64)
    place[order := np.argsort(counts, kind="stable")] = np.arange(len(counts))
    lowest = np.full(len(pairs.missing), len(counts), np.int64)
    np.minimum.at(lowest, pairs.rows, place[indices])
    return np.append(order + 1, 0)[lowest]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
