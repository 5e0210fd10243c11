"""Prepared: all rows of all splits as arrays, in memory or mapped from the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dsray.base import RequestError, RunFailure
from dsray.base.aside import clear_leftovers
from dsray.base.folders import put_back, replacing_folder
from dsray.base.kinds import Trust, guarded, packages_of
from dsray.base.sums import Damaged, seal, unseal
from dsray.data.arrays import targets_of, to_numpy
from dsray.data.collate import unpack
from dsray.data.config import DataConfig
from dsray.data.counts import Counts, count_rows
from dsray.data.schema import Schema
from dsray.data.sources.source import SPLITS
from dsray.data.stored import StoredColumns, StoredTable, write_columns, write_table

if TYPE_CHECKING:
    from dsray.base.protocols import Columns

_ROWS, _SHOWN, _ABOUT = "rows.bin", "shown.arrow", "prepared.json"


@dataclass(frozen=True, eq=False)
class Prepared:
    """Every row of the data set; its row id is its position (train, then validation, then test).

    columns: every tensor of the schema's inputs as it is stored, (rows, *shape); `present.NAME` (rows,) bool for each
        input; `target` (rows, *shape) as its kind encodes it.
    splits: `train`, `validation`, `test` -> ascending row ids int64.
    kept: what `shown` reads.
    counts: split -> input or `label` -> what (missing, cut, unknown, ...) -> rows of which it is true; zeros included.
    notes: sentences about the data that a user should know before believing a figure.
    """

    columns: Mapping[str, np.ndarray]
    splits: dict[str, np.ndarray]
    schema: Schema
    fingerprint: str
    kept: pa.Table | StoredTable
    counts: dict[str, Counts] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["target"])

    @property
    def shown(self) -> pa.Table:
        """The columns kept for reports, and the raw text; a row per row id."""
        return self.kept.read() if isinstance(self.kept, StoredTable) else self.kept

    def take(self, rows: np.ndarray, epochs: np.ndarray | None = None) -> Columns:
        """Copies of the given rows, with `row` and `epoch` (zeros unless given), as the model reads them."""
        columns = self.columns.around(rows) if isinstance(self.columns, StoredColumns) else self.columns
        found = {name: values[rows] for name, values in columns.items()}
        found = unpack(found, self.schema)
        found["row"] = np.array(rows, dtype=np.int64)
        found["epoch"] = np.zeros(len(rows), np.int64) if epochs is None else np.array(epochs, dtype=np.int64)
        return found

    def save(self, folder: Path) -> None:
        """Write to `folder`, which appears whole or not at all; one that is whole already is as good."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder.parent)
        if Prepared.find(folder, packages_of(self.schema)) is not None:
            return
        with replacing_folder(folder) as aside:
            about = {
                "fingerprint": self.fingerprint,
                "schema": self.schema.model_dump(mode="json"),
                "splits": {split: len(rows) for split, rows in self.splits.items()},
                "counts": self.counts,
                "notes": self.notes,
                _ROWS: write_columns(aside / _ROWS, self.columns),
                _SHOWN: write_table(aside / _SHOWN, self.shown),
            }
            (aside / _ABOUT).write_bytes(seal(about))

    @classmethod
    def load(cls, folder: Path, trust: Trust = frozenset()) -> Prepared:
        """What `save` wrote, mapped into memory and read-only; a damaged folder is a RunFailure.

        What is small is compared with its checksums now, the rest when it is first read. trust: whose kinds of input and
        target the schema may name.
        """
        put_back(folder)
        try:
            about = unseal(folder / _ABOUT)
            for name in (_ROWS, _SHOWN):
                if (folder / name).stat().st_size != about[name]["bytes"]:
                    raise Damaged(f"{name} was cut or has grown")
            columns = StoredColumns(folder / _ROWS, about[_ROWS])
            with guarded(f"data: {folder}", trust):
                schema = Schema.model_validate(about["schema"])
            for name in ("target", *(f"present.{name}" for name in schema.names)):
                columns[name]
        except (OSError, LookupError, TypeError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise RunFailure(
                f"data: {folder} does not hold a whole prepared data set ({said}); delete it to prepare it again"
            ) from None
        splits, kept = _positions(about["splits"]), StoredTable(folder / _SHOWN, about[_SHOWN])
        return cls(columns, splits, schema, about["fingerprint"], kept, about["counts"], tuple(about["notes"]))

    @classmethod
    def find(cls, folder: Path, trust: Trust = frozenset()) -> Prepared | None:
        """What `load` gives, or None where nothing whole is there."""
        try:
            return cls.load(folder, trust)
        except RunFailure:
            return None


def known(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """Those of the given row ids whose target the model can know: a class that is one of the training rows'."""
    return rows[data.schema.target.known(data.columns["target"][rows])]


def labelled(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """Those of the given row ids that have a target, also a class that no training row has: no answer to it is right.

    A row without one asks for no answer, so that it is in no figure.
    """
    return rows[data.schema.target.labelled(data.columns["target"][rows])]


def assemble(
    schema: Schema, tables: dict[str, pa.Table], config: DataConfig, fingerprint: str, notes: Sequence[str] = ()
) -> Prepared:
    """The splits that `prepare_table` made, under one numbering of the rows."""
    counts = {split: count_rows(tables[split], schema) for split in SPLITS}
    table = pa.concat_tables([tables[split] for split in SPLITS]).combine_chunks()
    columns = assemble_columns(table, schema)
    plain = [column for spec in schema.inputs.values() for column in spec.columns if column not in spec.encoded]
    kept = list(dict.fromkeys([*plain, *config.show]))
    shown = table.select([f"raw.{name}" for name in kept]).rename_columns(kept)
    splits = _positions({split: len(tables[split]) for split in SPLITS})
    data = Prepared(columns, splits, schema, fingerprint, shown, counts)
    for split, rows in splits.items():
        if not len(known(data, rows)):
            said = schema.target.none_known(split, tables[split].column(f"raw.{schema.target.column}"))
            raise RequestError(f"{config.target_field}: {said}")
    of_inputs = [
        said
        for name, spec in schema.inputs.items()
        for said in spec.remarks({split: found[name] for split, found in counts.items()}, name)
    ]
    return replace(data, notes=(*notes, *of_inputs))


def assemble_columns(table: pa.Table, schema: Schema) -> dict[str, np.ndarray]:
    """The arrays of `Prepared.columns` out of a table that `prepare_table` made."""
    names = [*schema.tensors, *(f"present.{name}" for name in schema.names)]
    columns = {name: to_numpy(table.column(name)) for name in names}
    for name, tensor in schema.tensors.items():
        columns[name] = columns[name].reshape(-1, *tensor.shape)
    return columns | {"target": targets_of(table, schema)}


def _positions(counts: dict[str, int]) -> dict[str, np.ndarray]:
    ends = np.cumsum([counts[split] for split in SPLITS])
    return {split: np.arange(end - counts[split], end, dtype=np.int64) for split, end in zip(SPLITS, ends, strict=True)}
