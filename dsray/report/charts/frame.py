"""What every chart has around it: caption, legend, the SVG element with its title and description."""

from __future__ import annotations

from collections.abc import Sequence

from dsray.base.templates import Html
from dsray.report.charts.markup import Child, el

WIDTH = 440
"""Width of a chart in its own units; text of 12 units is then about 12 pixels in a column of the page."""


def framed(
    title: str,
    drawing: Html,
    note: str = "",
    legend: Sequence[tuple[str, int, bool]] = (),
    wide: bool = False,
    data: str | None = None,
) -> Html:
    """A chart on the page: caption, note, legend of (name, colour, dashed), drawing."""
    keys = [
        el("li", el("i", class_=f"key k{colour}{' dashed' if dashed else ''}"), name) for name, colour, dashed in legend
    ]
    return el(
        "figure",
        el("figcaption", el("b", title), el("span", note) if note else None),
        el("ul", keys, class_="legend") if keys else None,
        drawing,
        class_="wide" if wide else None,
        data_chart=data,
    )


def svg(title: str, description: str, width: float, height: float, *children: Child) -> Html:
    """An SVG element of `width` x `height` units that scales with its column, with words for readers of the screen."""
    return el(
        "svg",
        el("title", title),
        el("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewbox=f"0 0 {width:g} {height:g}",
        role="img",
    )


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "label", turn: float = 0) -> Html:
    """A piece of text; `turn` in degrees around its own place."""
    transform = f"rotate({turn:g} {x:.2f} {y:.2f})" if turn else None
    return el("text", words, x=float(x), y=float(y), text_anchor=anchor, class_=class_, transform=transform)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    """A straight line."""
    return el("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, *children: Child, opacity: float = 1.0) -> Html:
    """A rectangle; a child `title` is its tooltip."""
    shown = None if opacity >= 1 else opacity
    return el(
        "rect",
        *children,
        x=float(x),
        y=float(y),
        width=float(max(0.0, width)),
        height=float(max(0.0, height)),
        class_=class_,
        fill_opacity=shown,
    )


def shorten(words: str, limit: int) -> str:
    """`words` in at most `limit` characters, with an ellipsis where something is left out."""
    return words if len(words) <= limit else words[: max(1, limit - 1)] + "…"
