"""Pages from the templates and assets of a room; jinja2 is loaded when the first page is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from jinja2 import Environment

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """`text` with a replacement for what neither XML nor a page may hold: control characters, lone surrogates."""
    return _FORBIDDEN.sub("\ufffd", text)


@final
class Html(str):
    """Text that is markup already: templates and drawings take it as it is and escape all other text."""

    __slots__ = ()

    def __html__(self) -> Html:
        return self


@final
class Templates:
    """What stands in `templates/` and `assets/` of a room's folder.

    filters, tests: functions that the templates may use by name. Every value is escaped, None is written as nothing, and
    a name that is not there is a LookupError.
    """

    def __init__(
        self,
        room: Path,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        tests: Mapping[str, Callable[..., bool]] | None = None,
    ) -> None:
        self._room, self._filters, self._tests = room, filters or {}, tests or {}

    def render(self, name: str, /, **context: object) -> Html:
        """The template `templates/name` filled in."""
        from jinja2 import UndefinedError

        try:
            return Html(printable(self._environment.get_template(name).render(context)))
        except UndefinedError as error:
            raise LookupError(str(error)) from error

    def asset(self, name: str) -> Html:
        """The text of `assets/name`, to stand in a page as it is."""
        return Html((self._room / "assets" / name).read_text(encoding="utf-8"))

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        made = Environment(
            loader=FileSystemLoader(self._room / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=lambda value: "" if value is None else value,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters.update(self._filters)
        made.tests.update(self._tests)
        return made
