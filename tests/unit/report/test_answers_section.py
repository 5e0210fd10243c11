"""The section of what a kind of target shows of its own answers."""

from __future__ import annotations

from collections.abc import Callable

from dsray.record.record import Record
from dsray.report.html import write_report

TABLE = {
    "title": "Per label",
    "columns": [["label", None], ["recall", "share"], ["threshold", "number"], ["rows", "count"]],
    "rows": [["<b>cat</b>", 0.5, 0.31251, 1200], ["dog", None, 0.5, 0]],
    "note": "The worst <two>.",
}
MAP = {
    "title": "Truth against answer",
    "values": [[3, 1], [0, 2]],
    "rows": ["low", "high"],
    "columns": ["low", "high"],
    "row_name": "truth",
    "column_name": "answer",
    "note": "Rows of the test split.",
}


def test_tables_are_written_in_their_units_and_nothing_is_markup(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("metrics.json",))
    record.write_json("evaluation.json", {"tables": [TABLE], "heat_maps": [MAP]})
    text = write_report(record).read_text(encoding="utf-8")
    assert '<section id="answers"' in text
    cells = ("&lt;b&gt;cat&lt;/b&gt;", "50.0 %", "0.3125", "1,200")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert "".join(f"<td>{cell}</td>" for cell in ("dog", "", "0.5", "0")) in text
    assert "The worst &lt;two&gt;." in text and "Truth against answer" in text
    assert "truth low, answer high: 1" in text


def test_a_record_without_them_has_no_such_section(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("evaluation.json",))
    assert '<section id="answers"' not in write_report(record).read_text(encoding="utf-8")
