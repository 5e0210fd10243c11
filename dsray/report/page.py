"""The shell of a page: one file that loads nothing, with the style and script it needs inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from dsray.base.templates import Html
from dsray.report.layout import LAYOUT, render
from dsray.report.sections.section import Section


def page(title: str, head: Html, sections: Sequence[Section], foot: str) -> str:
    """A whole HTML document: header, navigation, one card per section; it allows the script of this digest only."""
    script = LAYOUT.asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = LAYOUT.asset("report.css")
    return render(
        "page.html", title=title, head=head, sections=sections, foot=foot, style=style, script=script, digest=digest
    )
