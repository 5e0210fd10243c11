"""Single rows with the model's answer, how sure it was and how much of it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.record.record import Record
from dsray.record.words import count, percent
from dsray.report.markup import Html, el, picture
from dsray.report.sections.section import Section


def examples(record: Record) -> Section | None:
    """From `examples` of `evaluation.json`."""
    rows = (record.read_json("evaluation.json") or {}).get("examples") or []
    if not rows:
        return None
    body = el("div", map(_example, rows), class_="samples")
    return Section(
        "examples", "Examples", body, "Inputs of the test split with the model's answers; wrong ones in red."
    )


def _example(row: Mapping[str, Any]) -> Html:
    prediction, target = str(row.get("prediction")), str(row.get("target"))
    right = prediction == target
    answer = [el("span", prediction, class_="tag" if right else "tag wrong")]
    if not right:
        answer.append(el("span", f"is {target}", class_="sub"))
    facts = []
    if row.get("confidence") is not None:
        facts.append(f"{percent(row['confidence'])} sure")
    if row.get("blocks_run") is not None:
        facts.append(count(row["blocks_run"], "block"))
    body = el(
        "div",
        el("p", row["text"]) if row.get("text") else None,
        el("div", answer, class_="answer"),
        el("div", (el("span", fact) for fact in facts), class_="sub spaced"),
        class_="body",
    )
    shown = picture(row["image"], f"input, {target}", 72) if row.get("image") else None
    return el("div", shown, body, class_="sample")
