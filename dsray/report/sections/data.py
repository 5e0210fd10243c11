"""The rows behind the figures: how many, and how many of them are missing, cut or unknown."""

from __future__ import annotations

from typing import Any

from dsray.record.record import Record
from dsray.record.words import number, percent
from dsray.report.markup import Html, el
from dsray.report.sections.section import Section, table

_ORDER = ("train", "validation", "test")


def data(record: Record) -> Section | None:
    """From `data` of `manifest.json`; None for a record in which nothing was counted."""
    about = record.manifest.get("data") or {}
    if not about.get("counts") or not about.get("rows"):
        return None
    notes = [el("p", note, class_="note") for note in about.get("notes") or ()]
    lead = "Rows of each split, and those of which something is missing, was cut or is unknown."
    return Section("data", "Data", el("div", _table(about), notes), lead)


def _table(about: dict[str, Any]) -> Html:
    rows, counts = {split: about["rows"][split] for split in _ORDER if split in about["rows"]}, about["counts"]
    lines = [["rows", *(number(n) for n in rows.values())]]
    for name, what in dict.fromkeys((n, w) for found in counts.values() for n, whats in found.items() for w in whats):
        cells = [_cell(counts.get(split, {}).get(name, {}).get(what), n) for split, n in rows.items()]
        lines.append([f"{name} {what}", *cells])
    return table(["", *rows], lines)


def _cell(some: int | None, rows: int) -> str:
    return f"{number(some)} ({percent(some / rows)})" if some else number(some)
