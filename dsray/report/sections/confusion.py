"""Which class is taken for which, and precision and recall of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsray.record.record import Record
from dsray.record.words import count, number, percent
from dsray.report.charts import Matrix, heat_map
from dsray.report.layout import render
from dsray.report.sections.section import Section

_MOST_DRAWN = 100
_BESIDE = 14
_PAIRS = 20
_NOTE = "Shade: share of the true class. Wrong answers on a root scale, so that single ones show."


def confusion(record: Record) -> Section | None:
    """From `evaluation.json`: `per_class`, and `confusion`; beyond 100 classes pairs are listed (`confused`, `wrong`), not
    drawn, and of the classes those that are missed most often."""
    evaluation = record.read_json("evaluation.json") or {}
    classes = [str(name) for name in evaluation.get("classes") or []]
    values, per_class = evaluation.get("confusion") or [], evaluation.get("per_class") or []
    chart = None
    if len(classes) <= _MOST_DRAWN:
        matrix = Matrix(values, classes, classes, "true class", "predicted class", "{:,.0f}".format)
        chart = heat_map("Confusion matrix", matrix, _NOTE, confusion=True)
    if chart is None and not per_class:
        return None
    few = len(classes) <= _BESIDE
    confused = evaluation.get("confused") or _confused(values)
    body = render(
        "confusion.html",
        matrix=chart,
        lines=[_line(part) for part in _missed(per_class)],
        few=few,
        pairs=[] if few else [[classes[i], classes[j], number(n)] for i, j, n in confused[:_PAIRS]],
    )
    total = sum(map(sum, values)) or sum(part["rows"] for part in per_class)
    wrong = evaluation.get("wrong", sum(n for _, _, n in _confused(values)))
    said = [f"{count(int(wrong), 'wrong answer')} in {count(int(total), 'row')}."] if total else []
    if len(per_class) > _MOST_DRAWN:
        said.append(f"Of {len(per_class):,} classes the {_MOST_DRAWN} with the most rows missed.")
    return Section("classes", "Classes", body, " ".join(said))


def _line(part: Mapping[str, Any]) -> list[str]:
    shares = [percent(part[name]) for name in ("recall", "precision", "f1")]
    return [str(part["class"]), *shares, number(part["rows"])]


def _missed(per_class: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """All of them in their order, or those with the most rows missed."""
    if len(per_class) <= _MOST_DRAWN:
        return per_class
    return sorted(per_class, key=lambda part: (part["recall"] - 1) * part["rows"])[:_MOST_DRAWN]


def _confused(values: Sequence[Sequence[float]]) -> list[tuple[int, int, float]]:
    """(class, answer, times) of the pairs that are mixed up, the most frequent first."""
    wrong = [(i, j, n) for i, row in enumerate(values) for j, n in enumerate(row) if n and i != j]
    return sorted(wrong, key=lambda pair: -pair[2])
