"""Plug-ins that break one promise each: a right one with some of its methods replaced."""

from __future__ import annotations

from typing import Any


def broken(right: type, **replaced: Any) -> Any:
    """A config of a subclass of `right`. replaced: method -> function, or name -> value."""
    return type("Broken", (right,), {"__module__": __name__, **replaced})()
