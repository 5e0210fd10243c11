"""Whether a confidence of 90 % is right nine times in ten."""

from __future__ import annotations

from dsray.record.record import Record
from dsray.record.words import number, percent
from dsray.report.charts import reliability_diagram
from dsray.report.layout import render
from dsray.report.sections.section import Section


def calibration(record: Record) -> Section | None:
    """From `reliability` of `evaluation.json`; the expected calibration error is the figure of `metrics.json`."""
    bins = (record.read_json("evaluation.json") or {}).get("reliability") or []
    chart = reliability_diagram("Reliability", bins, "Below the dashed line the model is too sure of itself.")
    if chart is None:
        return None
    lines = [
        [percent(b["confidence"]), percent(b["accuracy"]), number(b["rows"])]
        for b in sorted(bins, key=lambda b: -b["rows"])
        if b["rows"]
    ]
    error = record.metrics.get("test_calibration_error")
    lead = "" if error is None else f"Expected calibration error {percent(error)}: the mean gap, weighted by rows."
    return Section("calibration", "Calibration", render("calibration.html", diagram=chart, lines=lines[:10]), lead)
