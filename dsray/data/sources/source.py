"""Where rows come from: raw Arrow tables, one per split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def same_files(contents: Mapping[str, str]) -> list[str]:
    """A sentence for each two splits of which files hold the same bytes.

    contents: `SPLIT: FILE` -> hash, as a source gives them.
    """
    first: dict[str, tuple[str, str]] = {}
    pairs: dict[tuple[str, str], list[str]] = {}
    for name, digest in contents.items():
        split, _, file = name.partition(": ")
        other, its = first.setdefault(digest, (split, file))
        if other != split:
            pairs.setdefault((split, other), []).append(file if file == its else f"{file} is {its}")
    return [
        f"data.source.{split} holds the same bytes as data.source.{other} ({', '.join(files[:3])}"
        f"{f' and {len(files) - 3:,} more' if len(files) > 3 else ''}): its figures are not about new rows"
        for (split, other), files in pairs.items()
    ]
