"""A section of a page."""

from __future__ import annotations

from dataclasses import dataclass

from dsray.base.templates import Html
from dsray.report.layout import render


@dataclass(frozen=True)
class Section:
    """One card of the page: anchor, heading, content, and a sentence below the heading."""

    key: str
    title: str
    body: Html
    lead: str = ""


def side_by_side(*charts: Html | None) -> Html:
    """The content of a section that holds charts alone; those that are None are left out."""
    return render("charts.html", charts=charts)
