"""`dsray predict`: the compressed model of a run on the rows of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.data import prepare_table, read_rows
from dsray.data.collate import unpack
from dsray.data.counts import count_rows, lines
from dsray.data.output import check_out, write_rows
from dsray.data.prepared import assemble_columns
from dsray.data.schema import Schema
from dsray.inputs.fault import RowFault
from dsray.record import Record
from dsray.record.words import percent
from dsray.serving import Predictor
from dsray.targets import TargetSpec

PRINTED = 20


def predict_file(run: Path, file: Path, out: Path | None, console: Console, *, trust: bool = False) -> pa.Table:
    """Predictions for each row of `file`: written to `out` (CSV, Parquet or JSON lines, by suffix), or the first ones printed.

    trust: allow kinds of input and target that are not dsray's, which the artefact names.
    """
    if out is not None:
        check_out(out)
    record = Record.open(run)
    predictor = Predictor(Artefact.load(record.path / "compressed", trust))
    schema = predictor.artefact.schema
    table = _prepared(read_rows(file, schema), file, schema)
    for line in lines({"": count_rows(table, schema)}, {"": len(table)}):
        console.print(line, soft_wrap=True)
    columns = assemble_columns(table, schema)
    answers = predictor.answer(unpack(columns, schema), len(table))
    of_file = {"file": table.column("raw.file")} if "raw.file" in table.column_names else {}
    found = pa.table(
        {
            **of_file,
            **schema.target.predictions(answers),
            **_refused(answers, schema.target),
            **(
                {}
                if predictor.artefact.blocks is None
                else {"blocks_run": [a["compute"]["blocks_run"] for a in answers]}
            ),
        }
    )
    target = columns["target"]
    if schema.target.known(target).any():
        found = found.append_column("target", pa.array([schema.target.show(t) for t in target]))
        console.print(f"{len(found):,} rows, {_said(answers, target, schema.target)}", highlight=False, soft_wrap=True)
    else:
        if schema.target.working_point is not None:
            console.print(f"{len(found):,} rows, {_coverage(answers)}", highlight=False)
        if f"raw.{schema.target.column}" in table.column_names:
            one = schema.target.wording.one
            console.print(f"{len(found):,} rows, none with a known {one} in column '{schema.target.column}'")
    if out is not None:
        write_rows(found, out)
        console.print(f"written to {out}")
    else:
        console.print(_shown(found))
    return found


def _refused(answers: Sequence[Mapping[str, Any]], spec: TargetSpec) -> dict[str, pa.Array]:
    """The column `refused`, of a model that may refuse."""
    return {} if spec.working_point is None else {"refused": pa.array([a["refused"] for a in answers], pa.bool_())}


def _coverage(answers: Sequence[Mapping[str, Any]]) -> str:
    refused = sum(answer["refused"] for answer in answers)
    return f"{refused:,} refused: coverage {percent(1 - refused / len(answers))}"


def _said(answers: Sequence[Mapping[str, Any]], target: np.ndarray, spec: TargetSpec) -> str:
    """Coverage, of a model that may refuse, and the accuracy of what is answered."""
    if spec.working_point is None:
        return _accuracy(spec.right(answers, target), target, spec)
    places = [i for i, answer in enumerate(answers) if not answer["refused"]]
    if not spec.known(target[places]).any():
        return f"{_coverage(answers)}; no row with a known {spec.wording.one} is answered"
    right = spec.right([answers[i] for i in places], target[places])
    return f"{_coverage(answers)}; of what is answered {_accuracy(right, target[places], spec)}"


def _accuracy(right: np.ndarray, target: np.ndarray, spec: TargetSpec) -> str:
    """Of the rows of known target, and what the others do to it: no answer to a class that the model does not know is right."""
    labelled, of_known = spec.labelled(target), spec.known(target)
    known, unknown, none = (int(rows.sum()) for rows in (of_known, labelled & ~of_known, ~labelled))
    one = spec.wording.one
    words = f"accuracy {percent(right.sum() / known)} on the {known:,} with a known {one}"
    if unknown:
        words += f"; {unknown:,} with a {one} that the model does not know: {percent(right.sum() / (known + unknown))} with them"
    return f"{words}; {none:,} without a {one}" if none else words


def _prepared(table: pa.Table, file: Path, schema: Schema) -> pa.Table:
    try:
        return prepare_table(table, schema)
    except RowFault as fault:
        if "file" in table.column_names:
            raise RequestError(f"'{file}': '{table.column('file')[fault.row]}' {fault.what}") from None
        raise replace(fault, field=f"'{file}'") from None


def _shown(found: pa.Table) -> Table:
    table = Table("row", *found.column_names, box=None, pad_edge=False)
    for i, row in enumerate(found.slice(0, PRINTED).to_pylist()):
        table.add_row(str(i), *(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    if len(found) > PRINTED:
        table.add_row("...", f"{len(found) - PRINTED:,} more; --out FILE keeps them all")
    return table
