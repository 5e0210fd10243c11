"""A section of the page, and the table that most of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsray.record.words import percent
from dsray.report.markup import Child, Html, el


@dataclass(frozen=True)
class Section:
    """One card of the page: anchor, heading, a sentence below it, content."""

    key: str
    title: str
    body: Html
    lead: str = ""


def table(headings: Sequence[str], rows: Sequence[Sequence[Child]], words: Sequence[int] = ()) -> Html:
    """A table whose first column is text and whose others are figures; columns in `words` hold text as well."""
    heads = [el("th", h, scope="col", class_="left" if i in words else None) for i, h in enumerate(headings)]
    lines = [
        el("tr", [el("td", cell, class_="left words" if i in words else None) for i, cell in enumerate(row)])
        for row in rows
    ]
    return el(
        "div",
        el("table", el("thead", el("tr", heads)), el("tbody", lines)),
        class_="scroll long" if len(rows) > 24 else "scroll",
        tabindex=0,
    )


def meter(fraction: float | None, colour: int = 1) -> Html | None:
    """A fraction as percent with a small bar behind it; None stays empty."""
    if fraction is None:
        return None
    share = f"--share:{min(1.0, max(0.0, fraction)) * 100:.1f}%"
    return el(
        "span", percent(fraction), el("span", el("i"), class_=f"meter m{colour}", style=share, aria_hidden="true")
    )


def columns(*parts: Html | None) -> Html:
    """Figures beside each other where there is room; those that are None are left out."""
    return el("div", parts, class_="columns")
