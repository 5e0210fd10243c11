"""Accuracy is of all rows; a row whose class the model does not know is wrong, and other figures leave it out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dsray.base import RequestError
from dsray.data import to_batch
from dsray.engine import LocalWorker
from dsray.engine.evaluate import Evaluation, Routes, evaluate
from dsray.engine.executions import SingleProcess
from dsray.engine.validate import validation_line
from dsray.experiment import Experiment
from dsray.likelihoods import Classes
from dsray.runner.evaluate import _detail
from dsray.runner.figures import clean_figures


def test_rows_of_an_unknown_class_are_wrong_and_counted():
    logits = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])]
    target, rows = torch.tensor([0, 1, 0, -1, -1]), torch.arange(5)
    found = Evaluation(logits, target, rows, Classes(), Routes(torch.ones(5, dtype=torch.int64), torch.zeros(1, 0), 2))
    metrics = found.metrics()
    assert metrics["accuracy"] == found.accuracy == pytest.approx(2 / 5)
    assert metrics["accuracy_known"] == found.known().accuracy == pytest.approx(2 / 3)
    assert metrics["rows_unknown"] == 2
    assert metrics["balanced_accuracy"] == pytest.approx(3 / 4)
    assert metrics["classes_answered"] == 3
    assert found.known().rows.tolist() == [0, 1, 2]
    assert found.routes.skip_rate == 0.5


def test_the_report_shows_unknown_rows_in_groups_and_no_others(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    torch.manual_seed(0)
    model = x.model.build(digits.schema).eval()
    with torch.no_grad():
        model.head.linear.bias[digits.columns["target"][digits.splits["test"][1]]] = (
            9.0  # so that some answers are right
        )
    rows = digits.splits["test"][:60]
    target = digits.columns["target"].copy()
    target[rows[::3]] = -1
    data = replace(digits, columns={**digits.columns, "target": target}, splits={**digits.splits, "test": rows})
    figures, found = clean_figures(model, data)
    detail = json.loads(json.dumps(_detail(data, model, found)))
    assert sum(entry["rows"] for entry in detail["reliability"]) == 40
    right = sum(entry["accuracy"] * entry["rows"] for entry in detail["reliability"]) / 40
    assert figures["test_accuracy_known"] == pytest.approx(right) and right > 0
    for group in detail["groups"].values():
        assert sum(value["rows"] for value in group.values()) == 60
    assert None not in [example["target"] for example in detail["examples"]]


def test_no_rows_have_no_figures(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    model = x.model.build(digits.schema)
    used_up = iter([to_batch(digits.take(digits.splits["test"][:4]), digits.schema)])
    assert len(evaluate(model, used_up).rows) == 4
    for empty in (used_up, [], [to_batch(digits.take(digits.splits["test"][:0]), digits.schema)]):
        with pytest.raises(RequestError, match="batches: hold no rows to evaluate"):
            evaluate(model, empty)


def test_evaluation_leaves_each_module_in_its_mode(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    model = x.model.build(digits.schema).train()
    model.encoders["image"].eval()
    modes = [module.training for module in model.modules()]
    evaluate(model, [to_batch(digits.take(digits.splits["test"][:4]), digits.schema)])
    validation_line(model, LocalWorker(digits, x.augment, seed=0), SingleProcess(model))
    assert [module.training for module in model.modules()] == modes
    assert 0 < sum(modes) < len(modes)
