"""What is said of the int8 model beside the fp32 one: both accuracies, and when their difference means nothing."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from dsray.record.int8 import against, lines
from dsray.record.record import Record
from dsray.report.html import write_report
from dsray.terminal.closing import closing_table


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"torch": 0.974, "int8": 0.973, "chance": 0.3}, "torch 97.4 %, int8 97.3 %: -0.1 points"),
        ({"torch": 0.974, "int8": 0.973}, "torch 97.4 %, int8 97.3 %: -0.1 points"),
        ({"torch": 0.0, "int8": 0.0, "chance": 0.3}, "torch 0.0 %, int8 0.0 %: nothing to lose"),
        ({"torch": 0.0, "int8": 0.0}, "torch 0.0 %, int8 0.0 %: nothing to lose"),
        (
            {"torch": 0.725, "int8": 0.725, "chance": 0.725, "one_answer": "ok"},
            'torch 72.5 %, int8 72.5 %: torch gives one answer ("ok") for every row and has nothing to lose',
        ),
        (
            {"torch": 0.2, "int8": 0.19, "chance": 0.3},
            "torch 20.0 %, int8 19.0 %: no better than one answer for every row (30.0 %), which says little",
        ),
        ({"torch": 0.2, "int8": 0.4, "chance": 0.3}, "torch 20.0 %, int8 40.0 %: +20.0 points"),
    ],
)
def test_a_difference_of_nothing_is_no_difference(figures, words):
    assert against({f"gate_{name}": value for name, value in figures.items()}, "gate") == words


def test_the_gate_is_told_where_it_compared_nothing(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    report = record.read_json("compressed/report.json")
    report |= {"gate_torch": 0.97, "gate_int8": 0.968, "gate_chance": 0.2}
    report |= {"gate_adversarial_torch": 0.0, "gate_adversarial_int8": 0.0, "gate_adversarial_chance": 0.2}
    record.write_json("compressed/report.json", report)
    file = io.StringIO()
    Console(file=file, width=120).print(closing_table(record))
    said = " ".join(file.getvalue().split())
    assert "int8, test rows torch 97.4 %, int8 97.3 %: -0.1 points" in said
    assert "int8, adversarial test rows torch 68.3 %, int8 67.9 %: -0.4 points" in said
    assert "int8, adversarial validation rows torch 0.0 %, int8 0.0 %: nothing to lose" in said
    assert [rows for rows, _ in lines(report)] == ["test rows", "adversarial test rows", "adversarial validation rows"]
    full = {"gate_full_depth_torch": 0.1, "gate_full_depth_int8": 0.1, "gate_full_depth_chance": 0.2}
    assert [rows for rows, _ in lines(report | full)][2:] == [
        "validation rows, every block run",
        "adversarial validation rows",
    ]
    assert [rows for rows, _ in lines(report | full | {"gate_chance": 0.98})][2:] == [
        "validation rows",
        "adversarial validation rows",
    ]
    page = write_report(record).read_text(encoding="utf-8")
    assert "nothing to lose" in page and "97.0 %" in page and "-0.2 points" in page
