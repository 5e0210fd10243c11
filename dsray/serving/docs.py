"""The documentation page: the OpenAPI description and a form to try it, in one page that loads nothing."""

from __future__ import annotations

import html
import json
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}section{border:1px solid var(--line);border-radius:8px;padding:.5rem 1rem;margin:1rem 0}
b{font:600 .8rem ui-monospace,monospace;padding:.15rem .5rem;border:1px solid;border-radius:6px;margin-right:.6rem}
pre,textarea{font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;width:100%;box-sizing:border-box}
textarea{min-height:8rem}button{font:inherit;padding:.3rem 1rem}
"""
_SCRIPT = """
document.getElementById("send").onclick = async () => {
  const out = document.getElementById("out"), started = performance.now();
  const answer = await fetch("v1/predict", {method: "POST", headers: {"content-type": "application/json"},
    body: document.getElementById("body").value});
  out.textContent = answer.status + ", " + Math.round(performance.now() - started) + " ms\\n"
    + JSON.stringify(await answer.json(), null, 2);
};
"""


def docs_page(openapi: dict[str, Any], example: str) -> str:
    """openapi: the description; example: a request body to start from."""
    sections = []
    for path, methods in openapi["paths"].items():
        for method, about in methods.items():
            text = html.escape(about.get("description") or about.get("summary", ""))
            details = {k: about[k] for k in ("requestBody", "responses") if k in about}
            shown = html.escape(json.dumps(details, indent=1))
            sections.append(
                f"<section><p><b>{method.upper()}</b><code>{html.escape(path)}</code></p><p>{text}</p>"
                f"<details><summary>schema</summary><pre>{shown}</pre></details></section>"
            )
    parts = html.escape(json.dumps(openapi.get("components", {}), indent=1))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>dsray API</title><style>{_STYLE}</style><h1>dsray API <small>{html.escape(openapi['info']['version'])}"
        f"</small></h1>{''.join(sections)}<section><h2>Try it</h2><textarea id=body>{html.escape(example)}</textarea>"
        f"<p><button id=send>POST /v1/predict</button></p><pre id=out></pre></section>"
        f"<details><summary>components</summary><pre>{parts}</pre></details>"
        f'<p><a href="openapi.json">openapi.json</a></p><script>{_SCRIPT}</script></html>'
    )
