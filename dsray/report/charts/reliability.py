"""Reliability diagram (Guo et al. 2017): accuracy against confidence, and how many rows stand behind each bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dsray.base.templates import Html
from dsray.record.words import count, percent
from dsray.report.charts.frame import WIDTH, framed, line, rect, svg, text
from dsray.report.charts.markup import el
from dsray.report.charts.scale import Scale

_TOP, _SQUARE, _ROWS = 22, 236, 46


def reliability_diagram(title: str, bins: Sequence[Mapping[str, float]], note: str = "") -> Html | None:
    """The chart, or None when no bin holds a row. bins: `confidence`, `accuracy` (fractions), `rows`, equally wide."""
    filled = [b for b in bins if b["rows"]]
    if not filled:
        return None
    width = 1 / len(bins)
    across = Scale(0, 1, 50, WIDTH - 12)
    up = Scale(0, 1, _TOP + _SQUARE, _TOP)
    base = up.start + 14 + _ROWS
    most = max(b["rows"] for b in filled)
    parts = _grid(across, up, base)
    for i, bin_ in enumerate(bins):
        if bin_["rows"]:
            parts += _bin(bin_, across(i * width) + 1, across((i + 1) * width) - 1, up, base, most)
    parts.append(line(across(0), up(0), across(1), up(1), "diagonal"))
    total = int(sum(b["rows"] for b in filled))
    described = f"Accuracy against confidence in {len(bins)} bins of {count(total, 'row')}. {note}".strip()
    legend = [("accuracy", 1, False), ("gap to confidence", 5, False)]
    return framed(title, svg(title, described, WIDTH, base + 38, parts), note, legend)


def _grid(across: Scale, up: Scale, base: float) -> list[Html]:
    parts = [text(4, 11, "accuracy", class_="axisname"), text(44, base - _ROWS / 2 + 4, "rows", "end", "axisname")]
    for value in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(line(across.start, up(value), across.end, up(value), "grid"))
        parts.append(text(across.start - 7, up(value) + 4, percent(value, 0), "end"))
        parts.append(text(across(value), base + 17, percent(value, 0), "end" if value == 1 else "middle"))
    parts.append(line(across.start, base, across.end, base, "axis"))
    parts.append(text((across.start + across.end) / 2, base + 34, "confidence", "middle", "axisname"))
    return parts


def _bin(bin_: Mapping[str, float], left: float, right: float, up: Scale, base: float, most: float) -> list[Html]:
    confidence, accuracy, wide = bin_["confidence"], bin_["accuracy"], right - left
    words = f"confidence {percent(confidence)}: accuracy {percent(accuracy)}, {count(int(bin_['rows']), 'row')}"
    tip = el("title", words)
    high, low = up(max(accuracy, confidence)), up(min(accuracy, confidence))
    tall = max(1.0, _ROWS * bin_["rows"] / most)
    return [
        rect(left, up(accuracy), wide, up.start - up(accuracy), "f1", tip),
        rect(left, high, wide, low - high, "gap untouchable"),
        rect(left, base - tall, wide, tall, "f1", tip, opacity=0.55),
    ]
