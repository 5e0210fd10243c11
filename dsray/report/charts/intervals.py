"""Means with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsray.base.templates import Html
from dsray.report.charts.frame import WIDTH, framed, line, shorten, svg, text
from dsray.report.charts.markup import el
from dsray.report.charts.scale import Format, Scale, percent_of, span, ticks

_ROW = 26
_CHARACTER = 7.2


@dataclass(frozen=True)
class Interval:
    """A mean, its interval (None from a single value) and the single values behind it."""

    label: str
    mean: float
    low: float | None
    high: float | None
    values: Sequence[float]
    colour: int = 1


def interval_chart(
    title: str, rows: Sequence[Interval], note: str = "", format: Format = percent_of, bound: float | None = None
) -> Html | None:
    """The chart, or None without rows; `bound` is the largest value that can occur."""
    if not rows:
        return None
    left = min(180.0, 14 + _CHARACTER * max(len(shorten(r.label, 26)) for r in rows))
    ends = [v for r in rows for v in (r.mean, *r.values, r.low, r.high) if v is not None]
    low, high = span(ends)
    across = Scale(max(0.0, low) if min(ends) >= 0 else low, min(high, bound) if bound else high, left, WIDTH - 18)
    bottom = 8 + _ROW * len(rows)
    parts = []
    for value in ticks(across.low, across.high, 4):
        parts.append(line(across(value), 4, across(value), bottom, "grid"))
        parts.append(text(across(value), bottom + 16, format(value), "middle"))
    for i, row in enumerate(rows):
        y = 8 + _ROW * (i + 0.5)
        parts.append(text(left - 10, y + 4, shorten(row.label, 26), "end"))
        parts += _marks(row, y, across, format)
    described = "; ".join(f"{r.label}: {format(r.mean)}" for r in rows) + "."
    return framed(title, svg(title, described, WIDTH, bottom + 24, parts), note)


def _marks(row: Interval, y: float, across: Scale, format: Format) -> list[Html]:
    parts = [el("circle", cx=across(v), cy=float(y), r=2.6, class_=f"f{row.colour} faint") for v in row.values]
    words = f"{row.label}: {format(row.mean)}"
    if row.low is not None and row.high is not None:
        start, end = (min(max(v, across.low), across.high) for v in (row.low, row.high))
        parts.append(line(across(start), y, across(end), y, f"line s{row.colour}"))
        words += f", 95 % interval {format(row.low)} to {format(row.high)}"
    parts.append(el("circle", el("title", words), cx=across(row.mean), cy=float(y), r=5.0, class_=f"dot f{row.colour}"))
    return parts
