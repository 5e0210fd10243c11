"""Elements of a drawing as nested calls; every text and attribute is escaped here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable

from dsray.base.templates import Html, printable

Attribute = str | float | int | None


Child = str | int | float | None | Iterable["Child"]


def el(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """`el("text", "a < b", class_="label")` -> `<text class="label">a &lt; b</text>`.

    Children that are not `Html` are escaped, None is left out, iterables are flattened. `class_` stands for `class`,
    `data_chart` for `data-chart`; attributes that are None are left out. Valid as HTML and as XML.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Children one after the other, escaped where they are not markup."""
    return Html("".join(_child(child) for child in children))


def escape(text: str) -> str:
    """`text` as it must stand in markup, also between quotes."""
    return html.escape(printable(text), quote=True)


def coordinate(value: float) -> str:
    """A length with at most two decimals: 12.50 -> `12.5`."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, int | float):
        return escape(str(child))
    return join(child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        value = coordinate(value)
    name = name.rstrip("_").replace("_", "-")
    return f' {_CAMEL.get(name, name)}="{escape(str(value))}"'


_CAMEL = {"viewbox": "viewBox"}
