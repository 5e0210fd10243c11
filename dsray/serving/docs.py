"""The documentation page: the OpenAPI description and a form to try it, in one page that loads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dsray.base.templates import Templates

_LAYOUT = Templates(Path(__file__).parent)

Field = tuple[str, str]
"""Dotted path of a field, and what it means."""


def docs_page(openapi: dict[str, Any]) -> str:
    """openapi: the description, with an example of each request body."""
    parts = openapi.get("components", {}).get("schemas", {})
    return _LAYOUT.render(
        "docs.html",
        about=openapi["info"].get("description"),
        operations=[
            _operation(path, method, about, parts)
            for path, methods in openapi["paths"].items()
            for method, about in methods.items()
        ],
        style=_LAYOUT.asset("docs.css"),
        script=_LAYOUT.asset("docs.js"),
    )


def _operation(path: str, method: str, about: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    request = _content(about.get("requestBody", {}))
    return {
        "path": path,
        "method": method.upper(),
        "about": about.get("description") or about.get("summary", ""),
        "request": request
        and {
            "fields": list(_fields(request["schema"], parts)),
            "example": json.dumps(request["example"], indent=1),
        },
        "answers": [
            (code, reply["description"], list(_fields(_content(reply).get("schema", {}), parts)))
            for code, reply in sorted(about["responses"].items())
        ],
    }


def _content(node: dict[str, Any]) -> dict[str, Any]:
    return dict(node.get("content", {}).get("application/json", {}))


def _fields(schema: dict[str, Any], parts: dict[str, Any], path: str = "") -> Iterator[Field]:
    """Each field below `schema` that is described."""
    if "$ref" in schema:
        yield from _fields(parts[schema["$ref"].rpartition("/")[2]], parts, path)
    elif schema.get("type") == "array" and "items" in schema:
        yield from _fields(schema["items"], parts, f"{path}[]")
    else:
        for name, inner in schema.get("properties", {}).items():
            below = f"{path}.{name}".lstrip(".")
            if text := inner.get("description"):
                yield below, text
            yield from _fields(inner, parts, below)
