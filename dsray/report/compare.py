"""Runs side by side, as data, as a table on the console and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from dsray.base import RequestError
from dsray.base.aside import replacing_file
from dsray.base.sealed import made_from
from dsray.record.figures import called
from dsray.record.record import Record
from dsray.record.words import count
from dsray.report.comparison import Comparison, group_runs, left_out, metric_cells, timing_cells, written
from dsray.report.page import page
from dsray.report.sections.compared import SECTIONS, heading


def compare(records: Sequence[Record]) -> Comparison:
    """Group runs of one experiment over their seeds and put the figures of the groups side by side.

    Intervals are Student's t over seeds, 95 %.
    """
    if len(records) < 2:
        raise RequestError(f"runs: {count(len(records), 'run')} given; give at least two run folders to compare")
    with made_from(_paths(records), "the comparison"):
        groups = group_runs(records)
        paths = dict.fromkeys(path for group in groups for path in group.settings)
        settings = {path: tuple(group.settings.get(path) for group in groups) for path in paths}
        return Comparison(
            groups=groups,
            metrics=metric_cells(groups),
            timings=timing_cells(groups),
            differences={path: values for path, values in settings.items() if len({*map(repr, values)}) > 1},
            left_out=left_out(records),
        )


def comparison_table(comparison: Comparison) -> Table:
    """The figures as a table for the console, a column per group; no frames, so that it reads the same in a pipe."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("")
    for group in comparison.groups:
        table.add_column(group.label, justify="right", overflow="fold")
    own = comparison.own
    for name, row in [*comparison.metrics.items(), *comparison.timings.items()]:
        table.add_row(called(name, own), *(written(name, cell, "+-", own) for cell in row))
    return table


def write_comparison(records: Sequence[Record], out: Path) -> Path:
    """Write the comparison as one self-contained HTML file `out` and return it."""
    comparison = compare(records)
    with made_from(_paths(records), "the comparison"):
        sections = [section for section in (make(comparison) for make in SECTIONS) if section is not None]
    title = " and ".join(group.label for group in comparison.groups) if len(comparison.groups) < 3 else "comparison"
    foot = f"Made by dsray from {count(len(records), 'record')}."
    for record in records:
        if damaged := record.damaged_lines():
            foot += f" Damaged, and left out: at least {count(damaged, 'line')} of the history of {record.name}."
    out = Path(out)
    if out.exists() and not out.is_file():
        raise RequestError(f"out: {out} is {'a folder' if out.is_dir() else 'no plain file'}; give an HTML file")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(out) as aside:
            aside.write_text(page(f"{title} · dsray", heading(comparison), sections, foot), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"out: cannot write {out} ({error.strerror}); give another path") from None
    return out


def _paths(records: Sequence[Record]) -> str:
    return ", ".join(str(record.path) for record in records)
