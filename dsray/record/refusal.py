"""What refusal came to, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.record.record import Record
from dsray.record.words import count, percent


def working_point(record: Record) -> Mapping[str, Any] | None:
    """Where the model of a record refuses to answer; None of one that answers every row."""
    found: Mapping[str, Any] | None = ((record.read_json("evaluation.json") or {}).get("refusal") or {}).get(
        "working_point"
    )
    return found


def answered(figures: Mapping[str, float], model: str) -> str:
    """`95.2 % of the test rows answered, 98.1 % of them right`; empty of a model that answers every row.

    model: `test` for that of the run, `int8` for the artefact, by which its figures begin.
    """
    coverage, accuracy = figures.get(f"{model}_coverage"), figures.get(f"{model}_accuracy_answered")
    if coverage is None:
        return ""
    right = "" if accuracy is None else f", {percent(accuracy)} of them right"
    return f"{percent(coverage)} of the test rows answered{right}"


def refuses_all(record: Record) -> str:
    """The sentence to be said where no threshold was found; empty where one was."""
    point = working_point(record)
    if point is None or point["threshold"] is not None:
        return ""
    asked = ((record.experiment.get("data") or {}).get("target") or {}).get("abstain") or {}
    return (
        f"no threshold on confidence keeps to an error rate of {percent(asked.get('error_rate'))} on the "
        f"{count(point['rows'], 'validation row')}, so that every answer is refused"
    )
