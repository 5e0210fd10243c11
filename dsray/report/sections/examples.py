"""Single rows with the model's answer, how sure it was and how much of it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.record.record import Record
from dsray.record.words import count, percent
from dsray.report.layout import render
from dsray.report.sections.section import Section
from dsray.report.sections.shown import inputs_of

_FACTS = ("target", "prediction", "confidence", "blocks_run")


def examples(record: Record) -> Section | None:
    """From `examples` of `evaluation.json`."""
    rows = (record.read_json("evaluation.json") or {}).get("examples") or []
    if not rows:
        return None
    body = render("examples.html", examples=[_example(row) for row in rows])
    return Section(
        "examples", "Examples", body, "Inputs of the test split with the model's answers; wrong ones in red."
    )


def _example(row: Mapping[str, Any]) -> dict[str, Any]:
    facts = []
    if row.get("confidence") is not None:
        facts.append(f"{percent(row['confidence'])} sure")
    if row.get("blocks_run") is not None:
        facts.append(count(row["blocks_run"], "block"))
    return {
        "inputs": inputs_of(row, "inputs", _FACTS),
        "prediction": str(row.get("prediction")),
        "target": str(row.get("target")),
        "right": row.get("right", row.get("prediction") == row.get("target")),
        "facts": facts,
    }
