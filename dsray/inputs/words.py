"""What a value of a request is called in an error."""

from __future__ import annotations

from typing import Any


def what(value: Any) -> str:
    """`a number`, `a list`, `null`, as JSON has them."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
