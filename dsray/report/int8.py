"""The figures of the artefact that a record holds now, which may have been made by other settings than the run's."""

from __future__ import annotations

from typing import Any

from dsray.report.record import Record

NAMES = {
    "int8_accuracy": "accuracy_int8",
    "int8_loss_points": "loss_points",
    "int8_adversarial_loss_points": "adversarial_loss_points",
    "size_ratio": "size_ratio",
}
"""Name in `metrics.json` -> name in the artefact's report."""


def other_settings(record: Record) -> dict[str, Any]:
    """The settings of the artefact where they are not those of the record's experiment, which `metrics.json` is of."""
    report = record.read_json("compressed/report.json") or {}
    made, own = report.get("settings"), record.experiment.get("compress")
    if made is None or made == own:
        return {}
    return {name: value for name, value in made.items() if own is None or own.get(name) != value}


def int8_figures(record: Record) -> dict[str, float]:
    """`int8_accuracy`, `size_ratio`, ... of the artefact in `compressed/`: what would be served."""
    metrics = record.metrics
    if not other_settings(record):
        return {name: metrics[name] for name in NAMES if name in metrics}
    report = record.read_json("compressed/report.json")
    return {name: report[key] for name, key in NAMES.items() if report.get(key) is not None}


def said(record: Record) -> str:
    """`compressed again by calibration_rows 64`; empty for an artefact of the experiment's own settings."""
    settings = other_settings(record)
    return f"compressed again by {', '.join(f'{k} {v}' for k, v in settings.items())}" if settings else ""
