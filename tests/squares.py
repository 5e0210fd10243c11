"""A benchmark that costs nothing: the squares of what two experiment files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness.benchmark import Benchmark, Rows
from dsray.experiment.experiment import read_tree


class Squares(Benchmark):
    """Rows `a`, `b`, `c` read `folder/first.yaml`, `d` reads `folder/second.yaml`; the quick form is `a`."""

    folder: Path
    measured: list[str]
    interrupted_at: str | None = None

    def rows(self) -> list[str]:
        return ["a"] if self.quick else ["a", "b", "c", "d"]

    def experiments(self, key: str) -> tuple[Path, ...]:
        return (self.folder / ("second.yaml" if key == "d" else "first.yaml"),)

    def measure(self, key: str) -> dict[str, Any]:
        if key == self.interrupted_at:
            raise KeyboardInterrupt
        self.measured.append(key)
        (path,) = self.experiments(key)
        return {"square": read_tree(path)["value"] ** 2}

    def summary(self, rows: Rows) -> dict[str, Any]:
        return {"sum": sum(row["square"] for row in rows.values())}

    def table(self, rows: Rows) -> str:
        return f"| sum | {self.summary(rows)['sum']} |"


def prepared(folder: Path) -> type[Squares]:
    """A class of its own for a test, its files in `folder`."""
    (folder / "first.yaml").write_text("value: 3\n")
    (folder / "second.yaml").write_text("extends: base.yaml\n")
    (folder / "base.yaml").write_text("value: 4\n")
    return type("Squares", (Squares,), {"folder": folder, "measured": [], "__module__": Squares.__module__})
