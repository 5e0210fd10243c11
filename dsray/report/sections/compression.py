"""The int8 artefact beside the model it came from: accuracy, size, speed, parity of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.base.templates import Html
from dsray.data.movable import MANY
from dsray.record.int8 import COMPARED, change, int8_figures, left_fp32, said
from dsray.record.record import Record
from dsray.record.refusal import answered
from dsray.record.words import count, milliseconds, number, percent, sentence, size
from dsray.report.charts import Bar, bar_chart
from dsray.report.layout import render
from dsray.report.sections.section import Section


def compression(record: Record) -> Section | None:
    """From `compressed/report.json`."""
    report = record.read_json("compressed/report.json")
    if not report:
        return None
    names = [name for name in COMPARED if f"{name}_int8" in report]
    body = render(
        "compression.html",
        lines=[_line(report, name) for name in names],
        adversarial="adversarial" in names,
        attacked=MANY,
        sizes=_sizes(report),
        speeds=_speed(report),
        parity=_parity(report.get("parity")),
    )
    ratio, routed = report.get("size_ratio"), "same_route" in (report.get("parity") or {})
    graph = "The int8 graph, routing inside," if routed else "The int8 graph"
    lead = "" if not ratio else f"{graph} is {1 / ratio:.1f} times smaller than its fp32 form."
    if kept := left_fp32(report):
        lead = f"{lead} {sentence(kept)}".strip()
    if kept := answered(int8_figures(record), "int8"):
        lead = f"{lead} With refusal: {kept}.".strip()
    if other := said(record):
        lead = f"{lead} It was {other}; metrics.json keeps the figures of the experiment's own settings.".strip()
    return Section("compression", "Compression", body, lead)


def _line(report: Mapping[str, Any], name: str) -> list[str]:
    """The accuracy on the rows `name` before and after."""
    return [COMPARED[name], percent(report[f"{name}_torch"]), percent(report[f"{name}_int8"]), change(report, name)]


def _sizes(report: Mapping[str, Any]) -> Html | None:
    sizes = [("fp32", report.get("size_bytes_fp32"), 1), ("int8", report.get("size_bytes_int8"), 3)]
    bars = [Bar(name, float(stored), size(stored), colour) for name, stored, colour in sizes if stored]
    ratio = report.get("size_ratio")
    return bar_chart("Size of the model", bars, "" if not ratio else f"{percent(ratio, 0)} of fp32")


def _speed(report: Mapping[str, Any]) -> list[Html | None]:
    speed = report.get("speed") or []
    colours = {"torch": 1, "onnxruntime fp32": 4, "onnxruntime int8": 3}
    charts = []
    for batch in sorted({entry["batch"] for entry in speed}):
        entries = [entry for entry in speed if entry["batch"] == batch]
        base = entries[0]["ms_median"]
        bars = []
        for entry in entries:
            ratio = base / entry["ms_median"] if entry["ms_median"] else 0.0
            colour = next((c for name, c in colours.items() if entry["engine"].startswith(name)), 5)
            bars.append(
                Bar(entry["engine"], entry["ms_median"], f"{milliseconds(entry['ms_median'])}, {ratio:.1f}x", colour)
            )
        note = f"median, and speed relative to {entries[0]['engine']}"
        charts.append(bar_chart(f"Time for {count(batch, 'row')} at once", bars, note))
    return charts


def _parity(parity: Mapping[str, Any] | None) -> str | None:
    if not parity:
        return None
    rows, gap = count(parity["rows"], "row"), number(parity["max_abs_logit"])
    if "same_route" not in parity:
        return f"Parity of the fp32 graph with torch on {rows}: the logits agree within {gap}."
    return (
        f"Parity of the fp32 graph with torch on {rows}: the same route on "
        f"{percent(parity['same_route'], 2)} of them; on those the logits agree within {gap}."
    )
