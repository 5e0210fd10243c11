"""The promises of sources."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsray.base import RequestError
from dsray.data import DataConfig, SourceConfig, load_tables
from dsray.data.sources.source import SPLITS
from dsray.testing.settings import check_round_trip


def check_source(config: SourceConfig, data: Mapping[str, Any] | None = None) -> None:
    """Rows under train, test and perhaps validation, with the same columns each time, and one hash for one content.

    Every row has a name of its own; what the source says of its columns is a `data` section that its rows fit.
    data: the rest of that section, for a source that does not know it all.
    """
    check_round_trip(config)
    tables = config.tables()
    _check_tables(tables)
    again = type(config).model_validate(config.model_dump(mode="json"))
    _check_hashes(config, again)
    for split, table in again.tables().items():
        assert table.equals(tables[split]), f"the {split} rows differ when they are read again under one fingerprint"
    _check_places(config, tables)
    with tempfile.TemporaryDirectory() as elsewhere:
        moved = config.at(Path(elsewhere))
        assert moved.fingerprint() == config.fingerprint(), "at() gives other rows for a folder where nothing stands"
    for column in tables["train"].column_names:
        files = list(config.named_files(column))
        assert files == list(config.named_files(column)), f"the files that '{column}' names differ when asked again"
        assert all(isinstance(file, Path) for file in files), f"what '{column}' names are no paths"
    _check_columns(config, dict(data or {}))


def _check_tables(tables: dict[str, pa.Table]) -> None:
    assert {"train", "test"} <= set(tables) <= set(SPLITS), f"it gave the splits {sorted(tables)}, needs train and test"
    columns = set(tables["train"].column_names)
    for split, table in tables.items():
        assert len(table), f"it gave no {split} rows"
        assert set(table.column_names) == columns, f"the {split} rows have other columns than the train rows"
        assert len(table.column_names) == len(columns), f"a column of the {split} rows is there twice"


def _check_hashes(config: SourceConfig, again: SourceConfig) -> None:
    first = config.fingerprint()
    assert isinstance(first, str) and first, f"the fingerprint is {first!r}, needs a hash"
    assert config.fingerprint() == first, "the fingerprint differs when asked for again"
    assert again.fingerprint() == first, "equal settings have different fingerprints"
    contents = config.contents()
    assert contents, "contents() names no part of the content"
    words = [word for item in contents.items() for word in item]
    assert all(isinstance(word, str) and word for word in words), "contents() needs names and hashes"
    assert again.contents() == contents, "contents() differs when asked for again"


def _check_places(config: SourceConfig, tables: dict[str, pa.Table]) -> None:
    called: dict[str, tuple[str, int]] = {}
    for split, table in tables.items():
        for row in sorted({0, len(table) // 2, len(table) - 1}):
            name = config.place(split, row)
            assert isinstance(name, str) and name, f"row {row} of the {split} rows is called {name!r}"
            assert name not in called, f"two rows are called '{name}': {called.get(name)} and {(split, row)}"
            called[name] = (split, row)


def _check_columns(config: SourceConfig, data: dict[str, Any]) -> None:
    known = config.columns()
    unknown = set(known) - (set(DataConfig.keys()) - {"source"})
    assert not unknown, f"columns() says {', '.join(sorted(unknown))}, which the data section does not have"
    if known or data:
        try:
            load_tables(DataConfig.model_validate({"source": config, **data}))
        except (RequestError, ValueError) as error:
            raise AssertionError(f"its rows do not fit what columns() says of them: {error}") from None
