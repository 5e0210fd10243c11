"""Figures of an evaluation are taken over the rows whose class is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dsray.engine.evaluate import Evaluation
from dsray.experiment import Experiment
from dsray.judge import clean_figures
from dsray.steps.evaluate import _detail


def test_rows_of_an_unknown_class_are_neither_right_nor_wrong():
    logits = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])]
    target, rows = torch.tensor([0, 1, 0, -1, -1]), torch.arange(5)
    found = Evaluation(logits, target, rows, torch.ones(5, dtype=torch.int64), torch.zeros(1, 0), 2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.metrics()["accuracy"] == found.accuracy
    assert found.known().rows.tolist() == [0, 1, 2]
    assert found.skip_rate == 0.5


def test_what_the_report_shows_counts_no_row_of_an_unknown_class(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    torch.manual_seed(0)
    model = x.model.build(digits.schema).eval()
    rows = digits.splits["test"][:60]
    target = digits.columns["target"].copy()
    target[rows[::3]] = -1
    data = replace(digits, columns={**digits.columns, "target": target}, splits={**digits.splits, "test": rows})
    figures, found = clean_figures(model, data)
    detail = json.loads(json.dumps(_detail(data, model, found)))
    assert sum(entry["rows"] for entry in detail["reliability"]) == 40
    right = sum(entry["accuracy"] * entry["rows"] for entry in detail["reliability"]) / 40
    assert figures["test_accuracy"] == pytest.approx(right)
    for group in detail["groups"].values():
        assert sum(value["rows"] for value in group.values()) == 40
    assert None not in [example["target"] for example in detail["examples"]]
