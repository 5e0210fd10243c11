"""Charts as inline SVG, one kind a file; colours are CSS variables, so a page in the dark redraws nothing."""

from dsray.report.charts.bars import Bar, bar_chart
from dsray.report.charts.intervals import Interval, interval_chart
from dsray.report.charts.lines import Axis, Band, Series, line_chart
from dsray.report.charts.matrix import Matrix, heat_map
from dsray.report.charts.reliability import reliability_diagram

__all__ = [
    "Axis",
    "Band",
    "Bar",
    "Interval",
    "Matrix",
    "Series",
    "bar_chart",
    "heat_map",
    "interval_chart",
    "line_chart",
    "reliability_diagram",
]
