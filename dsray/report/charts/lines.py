"""Line chart: series over a common axis, with shaded stretches, points and steps; values under the pointer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dsray.base.templates import Html
from dsray.report.charts.frame import WIDTH, framed, line, rect, svg, text
from dsray.report.charts.markup import coordinate, el
from dsray.report.charts.scale import Format, Scale, plain, span, ticks

_MOST_POINTS = 240
_HEIGHT = 252
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 30, 40


@dataclass(frozen=True)
class Series:
    """Points (x, y) in order of x; `colour` 1 to 6; `kind` line, step or points."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 1
    dashed: bool = False
    kind: str = "line"


@dataclass(frozen=True)
class Axis:
    """Name of an axis, how its values are written, and ends that are fixed rather than taken from the points."""

    label: str
    format: Format = plain
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Band:
    """A named stretch of the x axis, such as a stage of training."""

    start: float
    end: float
    label: str


def line_chart(
    title: str, series: Sequence[Series], x: Axis, y: Axis, note: str = "", bands: Sequence[Band] = ()
) -> Html | None:
    """The chart, or None when no series has a finite point."""
    drawn = [s for s in (_finite(s) for s in series) if s.points]
    if not drawn:
        return None
    low, high = _ends([p[0] for s in drawn for p in s.points], x)
    across = Scale(low, high, _LEFT, WIDTH - _RIGHT)
    up = Scale(*span([p[1] for s in drawn for p in s.points], y.low, y.high), _HEIGHT - _BOTTOM, _TOP)
    picture = svg(
        title,
        _describe(drawn, x, y),
        WIDTH,
        _HEIGHT,
        _bands(bands, across),
        _axes(across, up, x, y),
        [_draw(s, across, up) for s in drawn],
    )
    legend = list(dict.fromkeys((s.name, s.colour, s.dashed) for s in drawn)) if len(drawn) > 1 else []
    return framed(title, picture, note, legend, data=_pointer_data(drawn, across, up, x, y))


def thin(points: Sequence[tuple[float, float]], most: int = _MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` points: means of equal runs of neighbours, the first and the last kept as they are."""
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    places = [round(i * len(inner) / (most - 2)) for i in range(most - 1)]
    runs = [inner[a:b] for a, b in pairwise(places) if b > a]
    means = [(sum(p[0] for p in run) / len(run), sum(p[1] for p in run) / len(run)) for run in runs]
    return [points[0], *means, points[-1]]


def _finite(series: Series) -> Series:
    points = [p for p in series.points if all(isinstance(v, int | float) and math.isfinite(v) for v in p)]
    kept = points if series.kind == "points" else thin(points)
    return Series(series.name, kept, series.colour, series.dashed, series.kind)


def _ends(values: Sequence[float], axis: Axis) -> tuple[float, float]:
    low = axis.low if axis.low is not None else min(values)
    high = axis.high if axis.high is not None else max(values)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _axes(across: Scale, up: Scale, x: Axis, y: Axis) -> list[Html]:
    parts = []
    for value in ticks(up.low, up.high):
        parts.append(line(across.start, up(value), across.end, up(value), "grid"))
        parts.append(text(across.start - 7, up(value) + 4, y.format(value), "end"))
    for value in ticks(across.low, across.high):
        parts.append(text(across(value), up.start + 17, x.format(value), "middle"))
    parts.append(line(across.start, up.start, across.end, up.start, "axis"))
    parts.append(text((across.start + across.end) / 2, _HEIGHT - 5, x.label, "middle", "axisname"))
    parts.append(text(4, 10, y.label, "start", "axisname"))
    return parts


def _bands(bands: Sequence[Band], across: Scale) -> list[Html]:
    parts = []
    for i, band in enumerate(bands):
        left, right = across(max(band.start, across.low)), across(min(band.end, across.high))
        if i % 2:
            parts.append(rect(left, _TOP, right - left, _HEIGHT - _TOP - _BOTTOM, "band"))
        if right - left > 6.5 * len(band.label) + 8:
            parts.append(text((left + right) / 2, _TOP - 6, band.label, "middle", "bandname"))
    return parts


def _draw(series: Series, across: Scale, up: Scale) -> Html:
    places = [(across(px), min(max(up(py), up.end), up.start)) for px, py in series.points]
    if series.kind == "points" or len(places) == 1:
        dots = [el("circle", cx=px, cy=py, r=3.5, class_=f"dot f{series.colour}") for px, py in places]
        return el("g", dots)
    if series.kind == "step":
        places = [places[0], *(p for a, b in pairwise(places) for p in ((b[0], a[1]), b))]
    path = "M" + "L".join(f"{coordinate(px)} {coordinate(py)}" for px, py in places)
    return el("path", d=path, class_=f"line s{series.colour}{' dashed' if series.dashed else ''}")


def _describe(series: Sequence[Series], x: Axis, y: Axis) -> str:
    parts = [f"{s.name}: from {y.format(s.points[0][1])} to {y.format(s.points[-1][1])}" for s in series]
    return f"{y.label or 'value'} over {x.label}. " + "; ".join(parts) + "."


def _pointer_data(series: Sequence[Series], across: Scale, up: Scale, x: Axis, y: Axis) -> str:
    """Places and written values for the few lines of script that show them under the pointer."""
    lines = [
        {
            "name": s.name,
            "colour": s.colour,
            "points": [[round(across(px), 1), round(up(py), 1), x.format(px), y.format(py)] for px, py in s.points],
        }
        for s in series
    ]
    return json.dumps({"x": x.label, "top": _TOP, "bottom": _HEIGHT - _BOTTOM, "series": lines}, separators=(",", ":"))
