"""`dsray compare`: runs side by side, as a table and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dsray.record import Record
from dsray.report.compare import compare, comparison_table, write_comparison


def compare_runs(runs: Sequence[Path], out: Path | None, console: Console) -> None:
    """Print the figures of several runs, and write their page to `out` where that is given."""
    records = [Record.open(path) for path in runs]
    comparison = compare(records)
    console.print(comparison_table(comparison))
    for note in comparison.notes:
        console.print(note, soft_wrap=True)
    if out is not None:
        console.print(f"written to {write_comparison(records, out)}", highlight=False)
