"""Which class is taken for which, and precision and recall of each."""

from __future__ import annotations

from collections.abc import Sequence

from dsray.record.record import Record
from dsray.record.words import count, number, percent
from dsray.report.charts import Matrix, heat_map
from dsray.report.layout import render
from dsray.report.sections.section import Section

_MOST_DRAWN = 100
_BESIDE = 14
_NOTE = "Shade: share of the true class. Wrong answers on a root scale, so that single ones show."


def confusion(record: Record) -> Section | None:
    """From `confusion` and `per_class` of `evaluation.json`; beyond 100 classes pairs are listed, not drawn."""
    evaluation = record.read_json("evaluation.json") or {}
    classes = [str(name) for name in evaluation.get("classes") or []]
    values = evaluation.get("confusion") or []
    chart = None
    if len(classes) <= _MOST_DRAWN:
        matrix = Matrix(values, classes, classes, "true class", "predicted class", "{:,.0f}".format)
        chart = heat_map("Confusion matrix", matrix, _NOTE, confusion=True)
    lines = [
        [str(c["class"]), percent(c["recall"]), percent(c["precision"]), percent(c["f1"]), number(c["rows"])]
        for c in evaluation.get("per_class") or []
    ]
    if chart is None and not lines:
        return None
    total = sum(map(sum, values))
    wrong = total - sum(row[i] for i, row in enumerate(values))
    lead = f"{count(int(wrong), 'wrong answer')} in {count(int(total), 'row')}." if total else ""
    few = len(classes) <= _BESIDE
    body = render("confusion.html", matrix=chart, lines=lines, few=few, pairs=[] if few else _pairs(values, classes))
    return Section("classes", "Classes", body, lead)


def _pairs(values: Sequence[Sequence[float]], classes: Sequence[str]) -> list[list[str]]:
    """The pairs of classes that are mixed up most often."""
    wrong = [(n, i, j) for i, row in enumerate(values) for j, n in enumerate(row) if n and i != j]
    worst = sorted(wrong, key=lambda pair: -pair[0])[:20]
    return [[classes[i], classes[j], number(n)] for n, i, j in worst]
