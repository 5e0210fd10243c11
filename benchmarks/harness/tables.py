"""The tables of the README, made from the result files: what stands between `<!-- table: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.harness.benchmark import NAMES, ROOT, benchmark
from benchmarks.harness.results import FOLDER, Results
from dsray.base import RequestError, nearest
from dsray.base.aside import replacing_file
from dsray.record.words import seconds

README = ROOT / "README.md"
_BORDER = re.compile(r"<!-- (?:table: *(?P<name>[^\n]*?) *|end) -->\n?")


def write_tables(readme: Path = README, folder: Path = FOLDER, *, check: bool = False) -> list[str]:
    """Make every table of `readme` from the files in `folder`; the names of those that were not as the files have it.

    check: only compare.
    """
    text = readme.read_text(encoding="utf-8")
    made, differing = with_tables(text, lambda name: table_of(Results(name, benchmark(name), folder / f"{name}.json")))
    if differing and not check:
        with replacing_file(readme) as aside:
            aside.write_text(made, encoding="utf-8")
    return differing


def with_tables(text: str, make: Callable[[str], str]) -> tuple[str, list[str]]:
    """`text` with `make(name)` between each pair of borders, and the names of the tables that changed."""
    made, differing, end = "", [], 0
    borders = list(_BORDER.finditer(text))
    for first, last in zip(borders[::2], [*borders[1::2], None], strict=False):
        name = first["name"]
        if name is None or last is None or last["name"] is not None:
            raise RequestError(f"README.md: <!-- {'end' if name is None else f'table: {name}'} --> has no other half")
        if name not in NAMES:
            raise RequestError(f"README.md: there is no benchmark '{name}'; {nearest(name, list(NAMES))}")
        table = f"\n{make(name)}\n\n"
        if text[first.end() : last.start()] != table:
            differing.append(name)
        made += text[end : first.end()] + table
        end = last.start()
    return made + text[end:], differing


def table_of(results: Results) -> str:
    """The table with the command that makes it and where and when it was made; no figure while a row is missing."""
    command = f"`python -m benchmarks {results.name}`"
    if results.missing:
        return f"{command}: {len(results.keys) - len(results.missing)} of {len(results.keys)} rows are measured."
    return (
        f"{results.benchmark.table(results.figures)}\n\n{_made(command, [results.kept[key] for key in results.keys])}"
    )


def _made(command: str, rows: list[dict[str, Any]]) -> str:
    """`Made by ... in 12 min 03 s on 2 CPUs (...), torch 2.11.0: commit db7cd46, 28 November 2026.`"""
    took = sum(row["seconds"] for row in rows)
    commits = dict.fromkeys(
        f"{(row['commit'] or 'unknown')[:7]}{' with changes' if row['dirty'] else ''}" for row in rows
    )
    machines = dict.fromkeys(
        f"{m['cpus']} CPUs ({m['model']}, {'VNNI' if m['vnni'] else 'no VNNI'}), torch {m['torch']}, ray {m['ray']}, "
        f"onnxruntime {m['onnxruntime']}"
        for m in (row["machine"] for row in rows)
    )
    day = datetime.fromisoformat(max(row["date"] for row in rows))
    return (
        f"Made by {command} in {seconds(took)} on {' and '.join(machines)}: "
        f"commit {', '.join(commits)}, {day.day} {day:%B %Y}."
    )
