"""Charts are well-formed XML with words for readers, and their geometry follows the figures."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import pytest

from dsray.base.templates import Html
from dsray.report.charts import (
    Axis,
    Band,
    Bar,
    Interval,
    Matrix,
    Series,
    bar_chart,
    heat_map,
    interval_chart,
    line_chart,
    reliability_diagram,
)
from dsray.report.charts.lines import thin
from dsray.report.charts.markup import el, escape
from dsray.report.charts.scale import ticks

HOSTILE = '</svg><script>alert("x")</script>&\x00\ud800'
SVG = "{http://www.w3.org/2000/svg}"


def drawing(figure: Html | None) -> ElementTree.Element:
    assert figure is not None
    found = re.search(r"<svg.*?</svg>", figure, flags=re.S)
    assert found is not None
    return ElementTree.fromstring(found[0])


CHARTS = {
    "lines": line_chart(
        HOSTILE,
        [Series(HOSTILE, [(0, 1.0), (1, 2.0)]), Series("b", [(0, 0.5), (1, math.nan)], 2, kind="step")],
        Axis(HOSTILE),
        Axis(HOSTILE),
        bands=[Band(0, 0.5, HOSTILE), Band(0.5, 1, "b")],
    ),
    "bars": bar_chart(HOSTILE, [Bar(HOSTILE, 1.0, HOSTILE, group=HOSTILE), Bar("zero", 0.0, "0")]),
    "matrix": heat_map(
        HOSTILE, Matrix([[3, 1], [0, 2]], [HOSTILE, "b"], [HOSTILE, "b"], HOSTILE, "said"), confusion=True
    ),
    "reliability": reliability_diagram(HOSTILE, [{"confidence": 0.7, "accuracy": 0.6, "rows": 4}]),
    "intervals": interval_chart(
        HOSTILE, [Interval(HOSTILE, 0.5, 0.4, 0.6, (0.45, 0.55)), Interval("b", 0.2, None, None, ())]
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_xml_and_says_what_it_shows(name: str) -> None:
    svg = drawing(CHARTS[name])
    assert svg.get("role") == "img"
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None
    assert title.text == '</svg><script>alert("x")</script>&\ufffd\ufffd'
    assert description is not None
    assert description.text
    assert not list(svg.iter(f"{SVG}script"))
    width, height = (float(v) for v in (svg.get("viewBox") or "").split()[2:])
    for shape in svg.iter():
        x, y = float(shape.get("x", 0)), float(shape.get("y", 0))
        assert -1 <= x <= x + float(shape.get("width", 0)) <= width + 1
        assert -1 <= y <= y + float(shape.get("height", 0)) <= height + 1


@pytest.mark.parametrize(
    "empty",
    [
        lambda: line_chart("t", [Series("a", []), Series("b", [(0, math.inf)])], Axis("x"), Axis("y")),
        lambda: bar_chart("t", []),
        lambda: heat_map("t", Matrix([], [], [], "a", "b")),
        lambda: reliability_diagram("t", [{"confidence": 0.5, "accuracy": 0.5, "rows": 0}]),
        lambda: interval_chart("t", []),
    ],
)
def test_nothing_to_draw_gives_no_chart(empty: object) -> None:
    assert callable(empty)
    assert empty() is None


def test_constant_series_and_single_points_are_drawn() -> None:
    chart = line_chart("t", [Series("a", [(5, 0.0)]), Series("b", [(5, 0.0), (6, 0.0)])], Axis("x"), Axis("y"))
    assert "nan" not in str(chart)
    assert len(list(drawing(chart).iter(f"{SVG}circle"))) == 1


def test_pointer_data_holds_the_figures_as_written() -> None:
    chart = line_chart("t", [Series("a", [(0, 0.5), (1000, 0.25)])], Axis("step"), Axis("y"))
    attribute = ElementTree.fromstring(str(chart)).get("data-chart")
    assert attribute is not None
    points = json.loads(attribute)["series"][0]["points"]
    assert [p[2:] for p in points] == [["0", "0.5"], ["1,000", "0.25"]]
    assert points[0][0] < points[1][0]
    assert points[0][1] < points[1][1]


def test_long_series_are_thinned_to_means() -> None:
    points = [(float(i), float(i % 2)) for i in range(10_000)]
    kept = thin(points, 100)
    assert len(kept) == 100
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert all(abs(y - 0.5) < 0.02 for _, y in kept[1:-1])
    assert thin(points[:50], 100) == points[:50]


def test_bars_are_as_long_as_their_values() -> None:
    bars = [Bar("a", 1.0, "1"), Bar("b", 0.25, "0.25")]
    rects = list(drawing(bar_chart("t", bars)).iter(f"{SVG}rect"))
    whole, quarter = (float(r.get("width", 0)) for r in rects if r.get("class") == "f1")
    assert quarter == pytest.approx(whole / 4, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 1100, [0, 500, 1000]), (0.66, 0.71, [0.66, 0.67, 0.68, 0.69, 0.7, 0.71])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_markup_escapes_children_and_attributes_but_not_markup() -> None:
    made = el("p", "a<b", el("b", "&"), None, ["x", "y"], class_='"', title=None)
    assert made == '<p class="&quot;">a&lt;b<b>&amp;</b>xy</p>'
    assert escape("\x1b[0m'") == "\ufffd[0m&#x27;"
