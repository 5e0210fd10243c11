"""Charts as inline SVG, one kind a file; colours are CSS variables, so a page in the dark redraws nothing."""

from dsray.report.figures.bars import Bar, bar_chart
from dsray.report.figures.frame import figure
from dsray.report.figures.intervals import Interval, interval_chart
from dsray.report.figures.lines import Axis, Band, Series, line_chart
from dsray.report.figures.matrix import Matrix, heat_map
from dsray.report.figures.reliability import reliability_diagram

__all__ = [
    "Axis",
    "Band",
    "Bar",
    "Interval",
    "Matrix",
    "Series",
    "bar_chart",
    "figure",
    "heat_map",
    "interval_chart",
    "line_chart",
    "reliability_diagram",
]
