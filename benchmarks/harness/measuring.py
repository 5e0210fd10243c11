"""Goes through the rows of a benchmark that are missing, and says on stderr how far it is and how long it will take."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from statistics import median
from typing import Any, TextIO

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.results import Results
from dsray.record.words import seconds

QUIET_S = 10.0
"""Rows that take less do not each get a line."""


def measure_missing(results: Results, to: TextIO | None = None) -> None:
    """Measure each row that is missing and keep it; whoever is interrupted loses the row in progress alone.

    to: where progress goes; stderr unless given.
    """
    to, said = to or sys.stderr, -QUIET_S
    missing, total = results.missing, len(results.keys)
    stale = sum(key in results.stale for key in missing)
    again = f", {stale} of the others are stale" if stale else ""
    print(f"{results.name}: {total - len(missing)} of {total} rows are there{again}", file=to, flush=True)
    about, took = machine(), {key: row["seconds"] for key, row in (results.stale | results.kept).items()}
    at_start = commit()
    for i, key in enumerate(missing):
        if time.monotonic() - said > QUIET_S:
            said = time.monotonic()
            place = total - len(missing) + i + 1
            print(f"{results.name}: {place} of {total}, {key}{_left(missing[i:], took)}", file=to, flush=True)
        row = _row(results, key, about, at_start)
        took[key] = row["seconds"]
        results.keep(row)
    if not missing:
        results.save()  # the summary may be said in a new way


def _row(results: Results, key: str, about: dict[str, Any], at_start: tuple[str | None, bool]) -> dict[str, Any]:
    """dirty: the tree differed from the commit that this process began with, before the row or after it."""
    made_from, load, began = results.made_from(key), os.getloadavg()[0], time.monotonic()
    figures = results.benchmark.measure(key)
    return {
        "key": key,
        "figures": figures,
        "seconds": round(time.monotonic() - began, 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": at_start[0],
        "dirty": at_start[1] or commit() != at_start,
        "load": round(load, 2),
        "machine": about,
        **made_from,
    }


def _left(keys: list[str], took: dict[str, float]) -> str:
    """By what each row took before, or by the median of all rows that are known."""
    if not took:
        return ""
    usual = median(took.values())
    return f", about {seconds(sum(took.get(key, usual) for key in keys))} left"
