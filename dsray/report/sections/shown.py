"""Inputs of single rows as a page shows them, also from records of earlier versions, which held bare pictures and texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dsray.report.layout import embedded


def shown(value: Any) -> Any:
    """`{media, content}`, as the kind of input gave it; None where there is nothing."""
    if isinstance(value, Mapping) or not value:
        return value or None
    return {"media": "image/png" if embedded(value) else "text/plain", "content": value}


def inputs_of(row: Mapping[str, Any], key: str, facts: Collection[str]) -> dict[str, Any]:
    """Input -> what is shown of it, from `key`; an earlier version had them beside the `facts` of the row."""
    found = row.get(key) if key in row else {name: value for name, value in row.items() if name not in facts}
    return {name: value for name, given in (found or {}).items() if (value := shown(given))}
