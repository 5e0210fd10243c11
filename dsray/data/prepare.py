"""The whole preparation in one process, through the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsray.data.config import DataConfig
from dsray.data.named import hash_of_all
from dsray.data.origin import rows_named_by
from dsray.data.pipeline import fit_schema, prepare_blocks
from dsray.data.prepared import Prepared, assemble
from dsray.data.remarks import remarks_on
from dsray.data.schema import Schema
from dsray.data.tables import load_tables

Encode = Callable[[Mapping[str, pa.Table], Schema], dict[str, pa.Table]]
_NAMED = "a picture that a row names"
FORMAT = 6
"""To be raised whenever the code gives other prepared rows, or other files of them, for the same source and configuration."""


def contents_of(config: DataConfig) -> dict[str, str]:
    """Part of the content by name -> its hash: what the source holds, and the pictures that its rows name."""
    named = named_content(config)
    return config.source.contents() | ({_NAMED: named} if named else {})


def named_content(config: DataConfig) -> str | None:
    """The hash of the files that rows name instead of holding their bytes; None where there are none."""
    columns = dict.fromkeys(column for part in config.inputs.values() for column in part.encoded)
    return hash_of_all(file for column in columns for file in config.source.named_files(column))


def fingerprint_of(config: DataConfig, seed: int = 0, schema: Schema | None = None) -> str:
    """The name of the prepared rows: 32 hex digits of source content, `data` section, seed of the held-out rows.

    schema: what the rows are read through, where that is not learnt from them.
    """
    about: dict[str, Any] = {
        "format": FORMAT,
        "source": config.source.fingerprint(),
        "files": named_content(config),
        "data": config.model_dump(mode="json", exclude={"source"}),
        "seed": seed,
    }
    if schema is not None:
        about["schema"] = schema.model_dump(mode="json")
    return hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


def _fingerprint_in(cache: Path | None, config: DataConfig, seed: int, schema: Schema | None) -> str:
    """`fingerprint_of`, but that rows in `cache` which have learnt the very same schema will do."""
    learnt = fingerprint_of(config, seed)
    if schema is None:
        return learnt
    found = Prepared.find(cache / learnt, config.packages) if cache is not None else None
    return learnt if found is not None and found.schema == schema else fingerprint_of(config, seed, schema)


def prepare(
    config: DataConfig,
    cache: Path | None = None,
    seed: int = 0,
    schema: Schema | None = None,
    encode: Encode | None = None,
) -> Prepared:
    """The prepared rows, from `cache`/FINGERPRINT where they are there already.

    seed: decides which training rows are held out where the source has no validation split. schema: classes and
    tokeniser of an earlier preparation; learnt from the training rows where None. encode: `prepare_table` of every split,
    somewhere else than in this process.
    """
    fingerprint = _fingerprint_in(cache, config, seed, schema)
    folder = cache / fingerprint if cache is not None else None
    if folder is not None and (found := Prepared.find(folder, config.packages)) is not None:
        return found
    notes: list[str] = []
    tables = load_tables(config, seed, notes)
    schema = schema or fit_schema(config, tables["train"])
    with rows_named_by(config.source):
        blocks = (encode or _encode)(tables, schema)
    prepared = assemble(schema, blocks, config, fingerprint, notes)
    prepared = replace(prepared, notes=(*prepared.notes, *remarks_on(prepared)))
    if folder is None:
        return prepared
    prepared.save(folder)
    return Prepared.load(folder, config.packages)


def _encode(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, pa.Table]:
    return {split: prepare_blocks(table, schema) for split, table in tables.items()}
