"""The sweep: value of each trial, and the winning epsilon schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.base.templates import Html
from dsray.record.record import Record
from dsray.record.words import count, plain_name, points, spoken
from dsray.report.charts import Axis, Series, line_chart
from dsray.report.charts.scale import percent_of
from dsray.report.curves import STEP
from dsray.report.sections.section import Section, side_by_side


def tuning(record: Record) -> Section | None:
    """From `tune/summary.json`."""
    summary = record.read_json("tune/summary.json")
    if not summary:
        return None
    body = side_by_side(_history(summary), _schedule(summary.get("epsilon_schedule")))
    return Section("tune", "Tuning", body, _lead(summary))


def _lead(summary: Mapping[str, Any]) -> str:
    best, default = summary.get("best_value"), summary.get("default_value")
    if best is None:
        return ""
    words = f"{count(len(summary['history']), 'trial')}; the best, trial {summary['best_trial']}, has "
    objective = summary["objective"]
    words += f"{plain_name(objective)} {spoken(objective, best)}"
    if default is None:
        return words + "."
    return f"{words} against {spoken(objective, default)} of the default settings ({points((best - default) * 100)})."


def _history(summary: Mapping[str, Any]) -> Html | None:
    trials = [t for t in summary.get("history") or [] if t.get("value") is not None]
    lines = [
        Series("trial", [(t["trial"], t["value"]) for t in trials], 1, kind="points"),
        Series("best so far", [(t["trial"], t["best_so_far"]) for t in trials], 3, kind="step"),
    ]
    if summary.get("default_value") is not None and trials:
        default = summary["default_value"]
        lines.append(
            Series("default settings", [(trials[0]["trial"], default), (trials[-1]["trial"], default)], 2, dashed=True)
        )
    return line_chart("Trials", lines, Axis("trial"), Axis(plain_name(summary["objective"]), percent_of))


def _schedule(schedule: Mapping[str, Any] | None) -> Html | None:
    if not schedule:
        return None
    points = list(zip(schedule["steps"], schedule["values"], strict=True))
    note = "epsilon over the steps of the adversarial stage"
    return line_chart("Winning epsilon schedule", [Series("epsilon", points, 4)], STEP, Axis("epsilon", low=0), note)
