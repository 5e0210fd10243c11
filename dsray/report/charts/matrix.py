"""Heat map of a table of numbers; as a confusion matrix, right and wrong answers have a colour each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dsray.base.templates import Html
from dsray.report.charts.frame import WIDTH, framed, rect, shorten, svg, text
from dsray.report.charts.markup import el, join

_WIDE = 900
_MOST_WRITTEN = 24
_CHARACTER = 7.2


@dataclass(frozen=True)
class Matrix:
    """Values (rows x columns), the names of rows and columns, and of what they are."""

    values: Sequence[Sequence[float]]
    rows: Sequence[str]
    columns: Sequence[str]
    row_name: str
    column_name: str
    show: Callable[[float], str] = "{:g}".format


def heat_map(title: str, matrix: Matrix, note: str = "", confusion: bool = False, flat: bool = False) -> Html | None:
    """The chart, or None for an empty table.

    Shade: the share of the largest value; for `confusion` the share of its row, right answers (the diagonal) in one
    colour and wrong ones in another. `flat` draws low cells, for tables of few columns and many rows.
    """
    count = len(matrix.columns)
    if not matrix.values or not count:
        return None
    wide = count > 14
    width = _WIDE if wide else WIDTH
    names = [shorten(name, 16) for name in matrix.rows]
    left = (26 if matrix.row_name else 8) + _CHARACTER * max(len(name) for name in names)
    cell = (width - left - 4) / count
    height = min(cell, 17.0 if flat and len(names) > _MOST_WRITTEN else 30.0)
    turned = any(_CHARACTER * len(shorten(name, 16)) > cell - 4 for name in matrix.columns)
    top = (24 if matrix.column_name else 8) + (
        _CHARACTER * max(len(shorten(name, 16)) for name in matrix.columns) + 6 if turned else 18
    )
    written = count <= _MOST_WRITTEN and cell > 20
    step = max(1, math.ceil(12 / height))
    parts = [_column_names(matrix, left, cell, top, turned)]
    if matrix.column_name:
        parts.append(text(left + (width - left) / 2, 12, matrix.column_name, "middle", "axisname"))
    if matrix.row_name:
        parts.append(text(11, top + height * len(names) / 2, matrix.row_name, "middle", "axisname", turn=-90))
    for i, name in enumerate(names):
        y = top + i * height
        if i % step == 0:
            parts.append(text(left - 6, y + height / 2 + 4, name, "end"))
        parts += _row(matrix, i, left, y, cell, height, confusion, written)
    described = f"{matrix.row_name} by {matrix.column_name}, {len(names)} by {count}. {note}".strip()
    drawing = svg(title, described, width, top + height * len(names) + 4, parts)
    return framed(title, drawing, note, wide=wide)


def _column_names(matrix: Matrix, left: float, cell: float, top: float, turned: bool) -> Html:
    step = max(1, math.ceil(12 / cell))
    parts = []
    for j, name in enumerate(matrix.columns):
        x = left + (j + 0.5) * cell
        if j % step == 0:
            anchor, turn = ("start", -90) if turned else ("middle", 0)
            parts.append(text(x + (4 if turned else 0), top - 6, shorten(name, 16), anchor, turn=turn))
    return join(parts)


def _row(
    matrix: Matrix, i: int, left: float, y: float, cell: float, height: float, confusion: bool, written: bool
) -> list[Html]:
    values = matrix.values[i]
    whole = (sum(values) if confusion else max(max(row, default=0) for row in matrix.values)) or 1
    parts = []
    for j, value in enumerate(values):
        x, share = left + j * cell, max(0.0, value / whole)
        wrong = confusion and i != j
        if wrong:
            share **= 0.5  # errors are few; the root keeps one in a hundred visible
        tip = el(
            "title",
            f"{matrix.row_name} {matrix.rows[i]}, {matrix.column_name} {matrix.columns[j]}: {matrix.show(value)}",
        )
        if value or written:
            parts.append(rect(x + 0.75, y + 0.75, cell - 1.5, height - 1.5, "cell", tip))
        if value:
            shade = f"{'shadewrong' if wrong else 'shade'} untouchable"
            parts.append(rect(x + 0.75, y + 0.75, cell - 1.5, height - 1.5, shade, opacity=0.06 + 0.94 * share))
        if value and written:
            tone = "onshade" if share > 0.55 else "value"
            parts.append(text(x + cell / 2, y + height / 2 + 4, matrix.show(value), "middle", f"{tone} untouchable"))
    return parts
