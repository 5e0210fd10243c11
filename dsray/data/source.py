"""Where rows come from: raw Arrow tables, one per split."""

from __future__ import annotations

from typing import Any

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

    def columns(self) -> dict[str, Any]:
        """What the `data` section says of the columns unless the file says otherwise; empty where nothing is known."""
        return {}
