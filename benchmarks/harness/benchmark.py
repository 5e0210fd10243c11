"""What one file says of a benchmark, and the names of those there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dsray.base import RequestError, nearest

ROOT = Path(__file__).parents[2]
NAMES = {
    "quickstart": "benchmarks.quickstart:Quickstart",
    "chain": "benchmarks.chain:Chain",
    "damage": "benchmarks.damage:Damages",
}
Rows = Mapping[str, dict[str, Any]]
"""The figures of each row by its key, all of them, in order."""


class Benchmark(ABC):
    """A claim with what it is measured against. quick: fewer rows or smaller ones, within 8 minutes on two slow cores."""

    def __init__(self, quick: bool = False):
        self.quick = quick

    @abstractmethod
    def rows(self) -> list[str]:
        """The keys of what there is to measure, in order."""

    @abstractmethod
    def experiments(self, key: str) -> tuple[Path, ...]:
        """The experiment files that this row runs."""

    @abstractmethod
    def measure(self, key: str) -> dict[str, Any]:
        """The figures of one row, as JSON holds them; they depend on no other row."""

    @abstractmethod
    def summary(self, rows: Rows) -> dict[str, Any]:
        """What all rows together say."""

    @abstractmethod
    def table(self, rows: Rows) -> str:
        """Markdown for the README: the figures, with data, seeds and baseline beside them."""


def benchmark(name: str, quick: bool = False) -> Benchmark:
    """The benchmark of that name."""
    if name not in NAMES:
        raise RequestError(f"benchmark: there is no '{name}'; {nearest(name, list(NAMES))}")
    module, _, cls = NAMES[name].partition(":")
    return getattr(import_module(module), cls)(quick)
