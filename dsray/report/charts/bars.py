"""Horizontal bars with their values written at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsray.base.templates import Html
from dsray.report.charts.frame import WIDTH, framed, rect, shorten, svg, text
from dsray.report.charts.markup import el

_ROW, _GAP = 26, 10
_CHARACTER = 7.2


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its length (0 or more), the value as written, colour 1 to 6; `group` begins a new group."""

    label: str
    value: float
    shown: str
    colour: int = 1
    group: str = ""


def bar_chart(
    title: str,
    bars: Sequence[Bar],
    note: str = "",
    full: float | None = None,
    legend: Sequence[tuple[str, int, bool]] = (),
) -> Html | None:
    """The chart, or None without bars; `full` is the value of a bar of full length (default: the longest)."""
    if not bars:
        return None
    longest = full or max(bar.value for bar in bars) or 1.0
    left = min(170.0, 12 + _CHARACTER * max(len(shorten(bar.label, 24)) for bar in bars))
    right = 14 + _CHARACTER * max(len(bar.shown) for bar in bars)
    room = WIDTH - left - right
    y, group = 4.0, ""
    parts: list[Html] = []
    for bar in bars:
        if bar.group != group:
            y += _GAP if parts else 0
            parts.append(text(0, y + 13, bar.group, class_="axisname"))
            y, group = y + 20, bar.group
        width = max(1.5, room * min(1.0, bar.value / longest))
        tip = el("title", f"{bar.label}: {bar.shown}")
        parts.append(text(left - 8, y + 16, shorten(bar.label, 24), "end"))
        parts.append(rect(left, y + 3, room, _ROW - 8, "track"))
        parts.append(rect(left, y + 3, width, _ROW - 8, f"f{bar.colour}", tip))
        parts.append(text(left + room + 8, y + 16, bar.shown, class_="value"))
        y += _ROW
    described = "; ".join(f"{bar.group} {bar.label}: {bar.shown}".strip() for bar in bars) + "."
    return framed(title, svg(title, described, WIDTH, y + 4, parts), note, legend)
