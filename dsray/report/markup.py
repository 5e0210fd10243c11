"""Elements of a page as nested calls; every text and attribute is escaped here and nowhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_VOID = {"meta", "img", "br", "link", "input"}
# what neither XML nor a page may hold: control characters, lone surrogates
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PICTURE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")

Attribute = str | float | int | bool | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def el(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """`el("p", "a < b", class_="lead")` -> `<p class="lead">a &lt; b</p>`.

    Children that are not `Html` are escaped, None is left out, iterables are flattened. `class_` stands for `class`,
    `data_chart` for `data-chart`; attributes that are None or False are left out. Valid as HTML and, in SVG, as XML.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Children one after the other, escaped where they are not markup."""
    return Html("".join(_child(child) for child in children))


def escape(text: str) -> str:
    """`text` as it must stand in markup, also between quotes."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def picture(source: object, alt: str, size: int) -> Html:
    """An embedded picture, `size` pixels wide on the page; anything but a base64 picture becomes a plain note."""
    if not isinstance(source, str) or not _PICTURE.fullmatch(source):
        return el("span", "no picture", class_="nopicture")
    return el("img", src=source, alt=alt, width=size, height=size, class_="pixels", loading="lazy")


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
    if value is None or value is False:
        return ""
    if value is True:
        value = ""
    elif isinstance(value, float):
        value = coordinate(value)
    name = name.rstrip("_").replace("_", "-")
    return f' {_CAMEL.get(name, name)}="{escape(str(value))}"'


_CAMEL = {"viewbox": "viewBox"}
