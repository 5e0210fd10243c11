"""The rows of a benchmark that are kept: `results/NAME.json`, one row a line, as whole after each row as at the end."""

from __future__ import annotations

import hashlib
import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.harness.benchmark import ROOT, Benchmark
from benchmarks.harness.digests import digest_of_experiments, digest_of_source
from dsray.base import RequestError
from dsray.base.aside import replacing_file

FOLDER = ROOT / "benchmarks" / "results"
FIELDS = {"key", "figures", "seconds", "date", "commit", "dirty", "load", "machine", "experiment", "source"}


class Results:
    """Rows of one benchmark. kept: by key, those made from today's experiment files and source; stale: the others.

    path: their file, which need not exist; None keeps them in memory alone. again: all are taken for stale. Raises
    RequestError for a file that is cut, belongs to another benchmark, or is of the other form (quick or full).
    """

    def __init__(self, name: str, benchmark: Benchmark, path: Path | None, *, again: bool = False):
        self.name, self.benchmark, self.path = name, benchmark, path
        self.keys = benchmark.rows()
        self._source = digest_of_source(Path(inspect.getfile(type(benchmark))))
        self._experiment = cache(digest_of_experiments)
        there = _read(path, name, benchmark.quick) if path else {"rows": [], "machines": {}}
        rows = {row["key"]: row | {"machine": there["machines"][row["machine"]]} for row in there["rows"]}
        current = [key for key in self.keys if key in rows and self.made_from(key).items() <= rows[key].items()]
        self.kept = {} if again else {key: rows[key] for key in current}
        self.stale = {key: row for key, row in rows.items() if key not in self.kept}

    def made_from(self, key: str) -> dict[str, str]:
        """What a row of that key is made from today."""
        return {"experiment": self._experiment(self.benchmark.experiments(key)), "source": self._source}

    @property
    def missing(self) -> list[str]:
        """The keys that are still to be measured, in order."""
        return [key for key in self.keys if key not in self.kept]

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """The figures of the rows that are kept, in order of the keys."""
        return {key: self.kept[key]["figures"] for key in self.keys if key in self.kept}

    def keep(self, row: dict[str, Any]) -> None:
        """Add a row, all `FIELDS` of it, and write the file anew; what is stale is left out of it."""
        self.kept[row["key"]] = row
        self.save()

    def save(self) -> None:
        """Write the file, which is replaced in one step."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing_file(self.path) as aside:
                aside.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """The file as JSON; it has a summary only where no row is missing."""
        rows = [self.kept[key] for key in self.keys if key in self.kept]
        machines = {_name(row["machine"]): row["machine"] for row in rows}
        parts = {
            "benchmark": json.dumps(self.name),
            "quick": json.dumps(self.benchmark.quick),
            "machines": _lines("{}", [f"{json.dumps(name)}: {json.dumps(m)}" for name, m in sorted(machines.items())]),
            "rows": _lines("[]", [json.dumps(row | {"machine": _name(row["machine"])}) for row in rows]),
        }
        if not self.missing:
            parts["summary"] = json.dumps(self.benchmark.summary(self.figures), indent=1)
        return "{\n" + ",\n".join(f'"{name}": {value}' for name, value in parts.items()) + "\n}\n"


def _read(path: Path, name: str, quick: bool) -> dict[str, Any]:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        whole = all(set(row) >= FIELDS and row["machine"] in there["machines"] for row in there["rows"])
        owner = (there["benchmark"], there["quick"])
    except FileNotFoundError:
        return {"rows": [], "machines": {}}
    except (ValueError, KeyError, TypeError):
        whole, owner = False, (name, quick)
    if not whole:
        raise RequestError(f"results: {path} is cut or damaged; restore it, or delete it to measure all rows again")
    if owner != (name, quick):
        form = "the quick form of " if owner[1] else ""
        raise RequestError(f"results: {path} holds {form}'{owner[0]}'; give another file with --json")
    return there


def _name(machine: dict[str, Any]) -> str:
    """Short, and the same for the same machine, so that 300 rows do not say it 300 times."""
    return hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:8]


def _lines(brackets: str, lines: list[str]) -> str:
    return f"{brackets[0]}\n" + ",\n".join(lines) + f"\n{brackets[1]}" if lines else brackets
