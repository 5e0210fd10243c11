"""Prepared: all rows of all splits as arrays, in memory or mapped from the cache."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dsray.base import RequestError, RunFailure
from dsray.data.collate import unit_range
from dsray.data.config import DataConfig
from dsray.data.counts import Counts, count_rows
from dsray.data.images import remarks
from dsray.data.labels import UNLABELLED
from dsray.data.remarks import remarks_on
from dsray.data.source import SPLITS
from dsray.schema import Schema

if TYPE_CHECKING:
    from dsray.protocols import Columns

_ROWS, _SHOWN, _ABOUT = "rows.arrow", "shown.arrow", "prepared.json"


@dataclass(frozen=True, eq=False)
class Prepared:
    """Every row of the data set; its row id is its position (train, then validation, then test).

    columns: `image` (rows, channels, height, width) uint8, `text` (rows, length) int64, `present.image`,
        `present.text` (rows,) bool, `target` (rows,) int64, -1 where the class is not one of the
        training rows', -2 where there is no label.
    splits: `train`, `validation`, `test` -> ascending row ids int64.
    shown: the columns kept for reports, and the raw text; a row per row id.
    counts: split -> input or `label` -> what (missing, cut, unknown, ...) -> rows of which it is true; zeros included.
    notes: sentences about the data that a user should know before believing a figure.
    """

    columns: dict[str, np.ndarray]
    splits: dict[str, np.ndarray]
    schema: Schema
    fingerprint: str
    shown: pa.Table
    counts: dict[str, Counts] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["target"])

    def gather(self, rows: np.ndarray, epochs: np.ndarray | None = None) -> Columns:
        """Copies of the given rows, with `row` and `epoch` (zeros unless given); `image` float32 in [0, 1]."""
        found = {name: values[rows] for name, values in self.columns.items()}
        if "image" in found:
            found["image"] = unit_range(found["image"])
        found["row"] = np.array(rows, dtype=np.int64)
        found["epoch"] = np.zeros(len(rows), np.int64) if epochs is None else np.array(epochs, dtype=np.int64)
        return found

    def save(self, folder: Path) -> None:
        """Write to `folder`, which appears whole or not at all."""
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            _write(aside / _ROWS, pa.table({name: _to_arrow(values) for name, values in self.columns.items()}))
            _write(aside / _SHOWN, self.shown)
            about = {
                "fingerprint": self.fingerprint,
                "schema": self.schema.model_dump(mode="json"),
                "splits": {split: len(rows) for split, rows in self.splits.items()},
                "counts": self.counts,
                "notes": self.notes,
                "bytes": {name: (aside / name).stat().st_size for name in (_ROWS, _SHOWN)},
            }
            (aside / _ABOUT).write_text(json.dumps(about))
            _put(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """What `save` wrote, mapped into memory and read-only; a damaged folder is a RunFailure."""
        if not is_whole(folder):
            raise RunFailure(f"'{folder}' does not hold a whole prepared data set; delete it to prepare it again")
        about = json.loads((folder / _ABOUT).read_text())
        schema = Schema.model_validate(about["schema"])
        table = _read(folder / _ROWS)
        columns = {name: _to_numpy(table.column(name)) for name in table.column_names}
        if schema.image is not None:
            shape = (-1, schema.image.channels, schema.image.height, schema.image.width)
            columns["image"] = columns["image"].reshape(shape)
        for name in schema.modalities:
            columns[f"present.{name}"] = columns[f"present.{name}"].view(np.bool_)
        splits, shown = _positions(about["splits"]), _read(folder / _SHOWN)
        return cls(columns, splits, schema, about["fingerprint"], shown, about["counts"], tuple(about["notes"]))


def known(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """Those of the given row ids whose class is one of the training rows'."""
    return rows[data.columns["target"][rows] >= 0]


def labelled(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """Those of the given row ids that have a label, also of a class that no training row has: no answer to it is right.

    A row without a label asks for no answer, so that it is in no figure.
    """
    return rows[data.columns["target"][rows] != UNLABELLED]


def is_whole(folder: Path) -> bool:
    """True for a folder that `Prepared.save` finished and nobody has cut since."""
    try:
        sizes = json.loads((folder / _ABOUT).read_text())["bytes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def assemble(
    schema: Schema, tables: dict[str, pa.Table], config: DataConfig, fingerprint: str, notes: Sequence[str] = ()
) -> Prepared:
    """The splits that `prepare_table` made, under one numbering of the rows."""
    counts = {split: count_rows(tables[split], schema) for split in SPLITS}
    table = pa.concat_tables([tables[split] for split in SPLITS]).combine_chunks()
    columns = assemble_columns(table, schema)
    kept = list(dict.fromkeys([*([schema.text.column] if schema.text else []), *config.show]))
    shown = table.select([f"raw.{name}" for name in kept]).rename_columns(kept)
    splits = _positions({split: len(tables[split]) for split in SPLITS})
    data = Prepared(columns, splits, schema, fingerprint, shown, counts)
    for split, rows in splits.items():
        if not len(known(data, rows)):
            some = ", ".join(map(repr, schema.classes[:5])) + (", ..." if len(schema.classes) > 5 else "")
            got = tables[split].column(f"raw.{schema.label}")[0].as_py()
            raise RequestError(
                f"data.label: no {split} row has one of the {len(schema.classes)} classes of the training rows ({some}); "
                f"the first one has {'null' if got is None else repr(got)}; give {split} rows with known labels"
            )
    pictures = remarks(counts, schema.image) if schema.image else ()
    return replace(data, notes=(*notes, *pictures, *remarks_on(data)))


def assemble_columns(table: pa.Table, schema: Schema) -> dict[str, np.ndarray]:
    """The arrays of `Prepared.columns` out of a table that `prepare_table` made."""
    names = [*schema.modalities, *(f"present.{name}" for name in schema.modalities), "target"]
    columns = {name: _to_numpy(table.column(name)) for name in names}
    if schema.image is not None:
        shape = (-1, schema.image.channels, schema.image.height, schema.image.width)
        columns["image"] = columns["image"].reshape(shape)
    return columns


def _positions(counts: dict[str, int]) -> dict[str, np.ndarray]:
    ends = np.cumsum([counts[split] for split in SPLITS])
    return {split: np.arange(end - counts[split], end, dtype=np.int64) for split, end in zip(SPLITS, ends, strict=True)}


def _to_arrow(values: np.ndarray) -> pa.Array:
    """Rows of any shape as one flat list each; booleans as bytes, so that they can be mapped."""
    flat = values.view(np.uint8) if values.dtype == np.bool_ else values
    if values.ndim == 1:
        return pa.array(flat)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat[0].size)


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_fixed_size_list(array.type):
        return array.to_numpy(zero_copy_only=False)
    return array.flatten().to_numpy().reshape(len(array), array.type.list_size)


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def _read(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _put(aside: Path, folder: Path) -> None:
    """Rename `aside` to `folder`; a whole folder that another process put there first is as good."""
    try:
        aside.rename(folder)
    except OSError:
        if is_whole(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
