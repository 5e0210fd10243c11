"""The rows that a record was made from: found where they were, checked to be the same, read through its own schema."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dsray.base import RequestError
from dsray.base.figures import figure
from dsray.base.kinds import guarded
from dsray.data import DataConfig, Prepared, contents_of, fits, known
from dsray.data.schema import Schema
from dsray.inputs import InputSpec
from dsray.inputs.short import is_short
from dsray.record import Record
from dsray.runner.place import Place
from dsray.targets import TargetSpec

SCHEMA = "schema.json"


def rows_of(record: Record, config: DataConfig, place: Place) -> Prepared:
    """The prepared rows of a record; what a new record is made from is noted in it, and from then on demanded.

    Relative paths are those of the working directory in which the record was made, wherever the verb is called. Rows
    of a record that has noted its own are read through the schema that it learnt (classes, tokeniser); files that hold
    something else by now are a RequestError that names the first of them.
    """
    cache = record.path.parent / ".cache"
    noted = _noted(record)
    if not noted:
        data = place.prepare(config, cache)
        _note(record, config, data)
        return data
    if "directory" in noted:
        config = config.model_copy(update={"source": config.source.at(record.path / noted["directory"])})
    check_contents(record, config)
    return place.prepare(config, cache, schema_of(record, config))


def check_contents(record: Record, config: DataConfig) -> None:
    """A RequestError that names what changed, unless the source holds what it held when the record was made."""
    about = _noted(record)
    if not about:
        return
    if (noted := about.get("contents")) is None:
        made = record.manifest.get("dsray")
        raise RequestError(
            f"record: {record.path} was made by dsray {made}, which did not note what its rows hold; use that version"
        )
    found = _found(record, config)
    for name in [*noted, *found]:
        if noted.get(name) != found.get(name):
            what = "is new" if name not in noted else "is not there any more" if name not in found else "has changed"
            raise RequestError(
                f"data.source: {name} {what} since {record.path} was made; restore it, or make a new record"
            )


def _found(record: Record, config: DataConfig) -> dict[str, str]:
    """What the source holds now; where that cannot be read, the sentence says from where its paths are meant."""
    try:
        return contents_of(config)
    except RequestError as error:
        raise RequestError(
            f"{error}; {record.path} was made from it: put it back, or, where the record was copied away from its rows, "
            "call from the folder in which it was made"
        ) from None


def note_contents(record: Record, config: DataConfig) -> None:
    """Note what the source of a new record holds; a RequestError where it is not what an older one noted."""
    check_contents(record, config)
    if not _noted(record):
        record.write_json("manifest.json", {**record.manifest, "data": _about(record, config)})


def schema_of(record: Record, config: DataConfig) -> Schema | None:
    """The schema that a record has learnt from its training rows; None for one that has come to none yet."""
    found = record.read_json(SCHEMA)
    if found is None:
        return None
    try:
        with guarded(f"record: {record.path / SCHEMA}", config.packages):
            schema = Schema.model_validate(found)
    except ValidationError:
        raise RequestError(f"record: {record.path / SCHEMA} is not a schema of this version; restore it") from None
    if not fits(config, schema):
        raise RequestError(f"record: {record.path / SCHEMA} was not learnt for the record's experiment; restore it")
    return schema


def _noted(record: Record) -> dict[str, Any]:
    """What the manifest says of the rows; empty for a record that has come to none yet."""
    about = record.manifest.get("data") or {}
    sound = isinstance(about, dict) and all(
        isinstance(about.get(name, kind()), kind) for name, kind in (("contents", dict), ("directory", str))
    )
    if not sound:
        raise RequestError(f"record: {record.path / 'manifest.json'} does not say what its rows hold; restore it")
    return about


def _note(record: Record, config: DataConfig, data: Prepared) -> None:
    record.write_json(SCHEMA, data.schema.model_dump(mode="json"), ordered=True)  # encoders stand in that of inputs
    about = {
        "fingerprint": data.fingerprint,
        "rows": {split: len(rows) for split, rows in data.splits.items()},
        "known": {split: len(known(data, rows)) for split, rows in data.splits.items()},
        "counts": data.counts,
        "notes": list(data.notes),
        "inputs": {name: _called(name, spec) for name, spec in data.schema.inputs.items()},
        "figures": _figures(data.schema.target),
        **_about(record, config),
    }
    record.write_json("manifest.json", {**record.manifest, "data": about})


def _about(record: Record, config: DataConfig) -> dict[str, Any]:
    """The hash of each part of the source, and from where relative paths are meant: as a path from the record."""
    directory = os.path.relpath(Path.cwd(), record.path.resolve())
    return {"source": config.source.kind, "contents": contents_of(config), "directory": directory}


def _figures(target: TargetSpec) -> list[dict[str, Any]]:
    """The lines of the table for the figures of the kind of target, for who reads the record without its code."""
    return [asdict(figure(name, target.own_figures)) for name in target.figures]


def _called(name: str, spec: InputSpec) -> str:
    """What reports call an input: its name, or its column where the name says no more than the kind."""
    return " and ".join(spec.columns) if is_short(name, spec) else name
