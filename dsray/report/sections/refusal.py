"""How many answers are wrong among the surest ones, and from where on the model refuses to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dsray.record.record import Record
from dsray.record.refusal import answered, refuses_all, working_point
from dsray.record.words import number, percent, sentence
from dsray.report.charts import Axis, Series, line_chart
from dsray.report.sections.section import Section, side_by_side

_NOTE = "Rows are answered from the surest one on: the fewer are, the fewer answers should be wrong."


def refusal(record: Record) -> Section | None:
    """From `refusal` of `evaluation.json`, and the figures `test_coverage` and its kin."""
    curve = ((record.read_json("evaluation.json") or {}).get("refusal") or {}).get("curve") or []
    chart = line_chart(
        "Wrong answers against rows answered",
        [Series("the surest rows", [(c, r) for c, r in curve]), *_mark(record.metrics)],
        Axis("share of the test rows that is answered", lambda v: percent(v, 0), low=0.0, high=1.0),
        Axis("wrong among the answers", percent, low=0.0),
        _NOTE,
    )
    if chart is None:
        return None
    return Section("refusal", "Refusal", side_by_side(chart), " ".join(_lead(record)))


def _mark(metrics: Mapping[str, float]) -> list[Series]:
    """The point from which on the model refuses."""
    if "test_accuracy_answered" not in metrics:
        return []
    point = (metrics["test_coverage"], 1 - metrics["test_accuracy_answered"])
    return [Series("where refusal begins", [point], 2, kind="points")]


def _lead(record: Record) -> list[str]:
    metrics, point = record.metrics, working_point(record)
    if point is None:
        said = ["Every row is answered; data.target.abstain would refuse those that the model is least sure of."]
    elif all_of_them := refuses_all(record):
        said = [sentence(all_of_them)]
    else:
        said = [
            f"An answer of a confidence below {_threshold(point['threshold'])} is refused: {answered(metrics, 'test')}, where "
            f"{percent(metrics['test_accuracy'])} of all would be. On the validation rows, by which this was chosen, "
            f"{percent(point['coverage'])} were answered and {percent(point['error_rate'])} of these answers wrong."
        ]
    if "test_auroc_out_of_scope" in metrics:
        said.append(
            "Of a row whose target the training rows have and one whose target they lack, confidence is higher for the "
            f"first in {percent(metrics['test_auroc_out_of_scope'])} of all pairs."
        )
    return said


def _threshold(value: float) -> str:
    """With so many digits that one just below 1 is told from it."""
    if not 0.999 < value < 1:
        return number(value)
    return f"{value:.{min(17, 1 - math.floor(math.log10(1 - value)))}f}"
