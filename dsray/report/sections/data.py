"""The rows behind the figures: how many, and how many of them are missing, cut or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.record.record import Record
from dsray.record.words import number, percent
from dsray.report.layout import render
from dsray.report.sections.section import Section

_ORDER = ("train", "validation", "test")


def data(record: Record) -> Section | None:
    """From `data` of `manifest.json`; None for a record in which nothing was counted."""
    about = record.manifest.get("data") or {}
    if not about.get("counts") or not about.get("rows"):
        return None
    rows = {split: about["rows"][split] for split in _ORDER if split in about["rows"]}
    body = render("data.html", splits=list(rows), lines=_lines(rows, about["counts"]), notes=about.get("notes") or ())
    lead = "Rows of each split, and those of which something is missing, was cut or is unknown."
    return Section("data", "Data", body, lead)


def _lines(rows: Mapping[str, int], counts: Mapping[str, Any]) -> list[list[str]]:
    lines = [["rows", *(number(n) for n in rows.values())]]
    for name, what in dict.fromkeys((n, w) for found in counts.values() for n, whats in found.items() for w in whats):
        cells = [_cell(counts.get(split, {}).get(name, {}).get(what), n) for split, n in rows.items()]
        lines.append([f"{name} {what}", *cells])
    return lines


def _cell(some: int | None, rows: int) -> str:
    return f"{number(some)} ({percent(some / rows)})" if some else number(some)
