"""What the report and the closing table say of refusal."""

from __future__ import annotations

import pytest
from rich.console import Console

from dsray.record import Record
from dsray.report.sections.refusal import _threshold, refusal
from dsray.terminal.closing import closing_table

CURVE = [[0.5, 0.01], [0.9, 0.02], [1.0, 0.05]]
POINT = {"threshold": 0.731, "coverage": 0.9, "error_rate": 0.021, "rows": 400}
FIGURES = {"test_accuracy": 0.95, "test_coverage": 0.9, "test_accuracy_answered": 0.98, "test_auroc_out_of_scope": 0.93}


def _record(tmp_path, point, figures) -> Record:
    text = "name: x\ndata: {target: {kind: classes, column: a, abstain: {error_rate: 0.01}}}\n"
    record = Record.create_at(tmp_path / "run", text, {"data": {"rows": {"test": 100}}})
    record.update_metrics(figures)
    record.write_json("evaluation.json", {"refusal": {"curve": CURVE, "working_point": point}})
    return record


def _closing(record: Record) -> str:
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as said:
        console.print(closing_table(record))
    return said.get()


def test_the_working_point_is_marked_and_told(tmp_path):
    record = _record(tmp_path, POINT, FIGURES)
    section = refusal(record)

    assert (
        "below 0.731 is refused: 90.0 % of the test rows answered, 98.0 % of them right, where 95.0 %" in section.lead
    )
    assert "in 93.0 % of all pairs" in section.lead
    assert "where refusal begins" in section.body and "<circle" in section.body
    assert "90.0 % of the test rows answered, 98.0 % of them right" in _closing(record)


def test_where_no_threshold_was_found_it_is_said(tmp_path):
    point = {"threshold": None, "coverage": 0.0, "error_rate": None, "rows": 400}
    record = _record(tmp_path, point, {"test_accuracy": 0.95, "test_coverage": 0.0})

    sentence = "o threshold on confidence keeps to an error rate of 1.0 % on the 400 validation rows"
    assert sentence in refusal(record).lead
    assert sentence in _closing(record)


def test_a_model_that_answers_every_row_has_the_curve(tmp_path):
    section = refusal(_record(tmp_path, None, {"test_accuracy": 0.95}))

    assert "<circle" not in section.body and "Every row is answered" in section.lead


def test_a_record_without_the_curve_has_no_section(tmp_path):
    record = _record(tmp_path, None, {})
    record.write_json("evaluation.json", {})

    assert refusal(record) is None


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [
        (0.5, "0.5"),
        (0.99994, "0.999940"),
        (0.9999815339935324, "0.999982"),
        (1.0, "1"),
        (1 - 2**-53, "0.99999999999999989"),
    ],
)
def test_a_threshold_just_below_one_is_not_shown_as_one(threshold: float, shown: str) -> None:
    assert _threshold(threshold) == shown
