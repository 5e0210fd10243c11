"""The documentation page: the OpenAPI description and a form to try it, in one page that loads nothing."""

from __future__ import annotations

import html
import json
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem}
section{border:1px solid var(--line);border-radius:8px;padding:.2rem 1rem .8rem;margin:1rem 0}
b{font:600 .8rem ui-monospace,monospace;padding:.15rem .5rem;border:1px solid;border-radius:6px;margin-right:.6rem}
pre,textarea{font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;width:100%;
box-sizing:border-box;background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.5rem}
pre:empty{display:none}textarea{min-height:9rem}button{font:inherit;padding:.3rem 1rem}
table{border-collapse:collapse;width:100%}td{padding:.2rem .8rem .2rem 0;vertical-align:top;border-top:1px solid var(--line)}
"""
_SCRIPT = """
for (const form of document.querySelectorAll("form")) form.onsubmit = async event => {
  event.preventDefault();
  const body = form.querySelector("textarea"), out = form.querySelector("pre"), started = performance.now();
  try {
    const reply = await fetch(form.getAttribute("action"), body
      ? {method: "POST", headers: {"content-type": "application/json"}, body: body.value} : {});
    const text = JSON.stringify(await reply.json(), null, 2);
    out.textContent = reply.status + " in " + Math.round(performance.now() - started) + " ms\\n" + text;
  } catch (error) { out.textContent = String(error); }
};
"""


def docs_page(openapi: dict[str, Any]) -> str:
    """openapi: the description, with an example of each request body."""
    info = openapi["info"]
    parts = openapi.get("components", {}).get("schemas", {})
    operations = "".join(
        _operation(path, method, about, parts)
        for path, methods in openapi["paths"].items()
        for method, about in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>dsray API</title><style>{_STYLE}</style></head><body><h1>dsray API</h1>"
        f"<p>{html.escape(info.get('description', ''))}</p>{operations}"
        f'<p><a href="openapi.json">openapi.json</a></p><script>{_SCRIPT}</script></body></html>'
    )


def _operation(path: str, method: str, about: dict[str, Any], parts: dict[str, Any]) -> str:
    replies = "".join(
        f"<tr><td>{code}</td><td>{html.escape(reply['description'])}</td>"
        f"<td>{_fields(_content(reply).get('schema', {}), parts)}</td></tr>"
        for code, reply in sorted(about["responses"].items())
    )
    request = _content(about.get("requestBody", {}))
    takes = body = ""
    if request:
        takes = f"<h2>Request</h2><table>{_rows(request['schema'], parts)}</table>"
        body = f"<textarea spellcheck=false>{html.escape(json.dumps(request['example'], indent=1))}</textarea>"
    # relative to this page, so that the form also works under a prefix
    form = f'<form action="{html.escape(path.lstrip("/"))}">{body}<p><button>Try it</button></p>'
    return (
        f"<section><p><b>{method.upper()}</b><code>{html.escape(path)}</code></p>"
        f"<p>{html.escape(about.get('description') or about.get('summary', ''))}</p>{takes}"
        f"<h2>Answers</h2><table>{replies}</table>{form}<pre></pre></form></section>"
    )


def _content(node: dict[str, Any]) -> dict[str, Any]:
    return dict(node.get("content", {}).get("application/json", {}))


def _fields(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    rows = _rows(schema, parts)
    return f"<details><summary>fields</summary><table>{rows}</table></details>" if rows else ""


def _rows(schema: dict[str, Any], parts: dict[str, Any], path: str = "") -> str:
    """One row of the table for each field below `schema`, by dotted path."""
    if "$ref" in schema:
        return _rows(parts[schema["$ref"].rpartition("/")[2]], parts, path)
    if schema.get("type") == "array" and "items" in schema:
        return _rows(schema["items"], parts, f"{path}[]")
    rows = ""
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}.{name}".lstrip(".")
        if text := inner.get("description"):
            rows += f"<tr><td><code>{html.escape(below)}</code></td><td>{html.escape(text)}</td></tr>"
        rows += _rows(inner, parts, below)
    return rows
