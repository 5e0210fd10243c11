"""Where rows come from: raw Arrow tables, one per split."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from dsray.base import Plugin

SPLITS = ("train", "validation", "test")


class SourceConfig(Plugin):
    """Base of all sources."""

    def tables(self) -> dict[str, pa.Table]:
        """The rows under `train`, `test` and, where the source brings its own, `validation`."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """A hash of the content: two equal fingerprints mean equal tables."""
        raise NotImplementedError

    def contents(self) -> dict[str, str]:
        """Part of the content by name (`test: b.parquet`) -> its hash, so that a record can tell which one changed."""
        return {self.kind: self.fingerprint()}

    def at(self, folder: Path) -> Self:
        """The same source, its relative paths meant from `folder`, or from here where nothing stands there."""
        return self

    def named_files(self, column: str) -> Iterable[Path]:
        """The files that rows of an image column `{bytes, path}` name instead of holding bytes, in order of the rows.

        Their content belongs to the fingerprint of the prepared rows.
        """
        return ()

    def place(self, split: str, row: int) -> str:
        """What a person calls row `row`, from 0, of a split of `tables`."""
        return f"row {row} of the {split} rows"

    def columns(self) -> dict[str, Any]:
        """What the `data` section says of the columns unless the file says otherwise; empty where nothing is known."""
        return {}
