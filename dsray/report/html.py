"""The report of a run: one self-contained HTML file made from what the record holds."""

from __future__ import annotations

from pathlib import Path

from dsray.base.sealed import made_from
from dsray.record.record import Record
from dsray.report.header import header
from dsray.report.page import page
from dsray.report.sections import SECTIONS


def write_report(record: Record) -> Path:
    """Write `report.html` into the record; a section appears when its files exist. Everything is escaped."""
    sections = []
    for make in SECTIONS:
        with made_from(record.path, f"the section '{make.__name__}' of the report"):
            if section := make(record):
                sections.append(section)
    with made_from(record.path, "the head of the report"):
        head = header(record)
    version = record.manifest.get("dsray")
    foot = f"Made by dsray {version} from the files of {record.name}." if version else f"Made from {record.name}."
    return record.write_text("report.html", page(f"{record.name} · dsray", head, sections, foot))
