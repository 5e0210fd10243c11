"""The shell of a page: one file that loads nothing, with the style and script it needs inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from dsray.report.markup import Child, Html, el
from dsray.report.script import SCRIPT
from dsray.report.sections.section import Section
from dsray.report.style import CSS


def page(title: str, head: Child, sections: Sequence[Section], foot: str) -> str:
    """A whole HTML document: header, navigation, one card per section.

    Its policy forbids every load and every script but the page's own, so markup that slipped in would stay inert.
    """
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    document = el(
        "html",
        el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", http_equiv="Content-Security-Policy", content=policy),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="referrer", content="no-referrer"),
            el("title", title),
            el("style", Html(CSS)),
        ),
        el(
            "body",
            el(
                "div",
                head,
                el(
                    "nav",
                    el("ul", (el("li", el("a", s.title, href=f"#{s.key}")) for s in sections)),
                    aria_label="Sections",
                ),
                el("main", (_card(s) for s in sections)),
                el("footer", foot),
                class_="shell",
            ),
            el("script", Html(SCRIPT)),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{document}\n"


def _card(section: Section) -> Html:
    lead = el("p", section.lead, class_="lead") if section.lead else None
    return el("section", el("h2", section.title), lead, section.body, id=section.key, class_="card")
