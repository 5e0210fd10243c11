"""Thousands of classes are listed, the worst ones, and not drawn."""

from __future__ import annotations

import numpy as np

from dsray.record import Record
from dsray.report.sections.confusion import confusion
from dsray.targets.confusion import class_detail


def test_of_ten_thousand_classes_the_worst_are_shown(tmp_path):
    classes = tuple(f"class {i}" for i in range(10_000))
    target = np.repeat(np.arange(10_000), 3)
    answer = target.copy()
    answer[target == 77] = 78
    answer[0] = 9
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    record.write_json("evaluation.json", class_detail(classes, answer, target))

    section = confusion(record)

    assert "4 wrong answers in 30,000 rows." in section.lead
    assert "class 77" in section.body and "class 78" in section.body
    assert "class 5000" not in section.body
    assert len(section.body) < 50_000
    assert (record.path / "evaluation.json").stat().st_size < 5_000_000
