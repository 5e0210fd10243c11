"""Which class is taken for which, and precision and recall of each."""

from __future__ import annotations

from dsray.report.figures import Matrix, heat_map
from dsray.report.markup import el
from dsray.report.record import Record
from dsray.report.sections.section import Section, columns, table
from dsray.report.words import count, number, percent


def confusion(record: Record) -> Section | None:
    """From `confusion` and `per_class` of `evaluation.json`."""
    evaluation = record.read_json("evaluation.json") or {}
    classes = [str(name) for name in evaluation.get("classes", [])]
    values = evaluation.get("confusion") or []
    chart = heat_map(
        "Confusion matrix",
        Matrix(values, classes, classes, "true class", "predicted class", "{:,.0f}".format),
        "Shade: share of the true class. Wrong answers on a root scale, so that single ones show.",
        confusion=True,
    )
    per_class = evaluation.get("per_class") or []
    lines = [
        [str(c["class"]), percent(c["recall"]), percent(c["precision"]), percent(c["f1"]), number(c["rows"])]
        for c in per_class
    ]
    listing = table(["class", "recall", "precision", "F1", "rows"], lines) if lines else None
    if chart is None and listing is None:
        return None
    total = sum(map(sum, values))
    wrong = total - sum(row[i] for i, row in enumerate(values))
    lead = f"{count(int(wrong), 'wrong answer')} in {count(int(total), 'row')}." if total else ""
    wide = len(classes) > 14
    body = el("div", chart, listing) if wide else columns(chart, listing)
    return Section("classes", "Classes", body, lead)
