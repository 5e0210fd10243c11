"""Validation on any number of workers gives the figures of one, and says what a single accuracy hides."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from dsray.base.balance import uneven
from dsray.data import to_batch
from dsray.engine import LocalWorker, evaluate
from dsray.engine.executions import SingleProcess
from dsray.engine.validate import validation_line
from dsray.experiment import Experiment
from dsray.targets.names import UNKNOWN, UNLABELLED

EXPERIMENT = Experiment.parse(
    {
        "data": {"source": "digits"},
        "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
    }
)


class Together:
    """One of several executions whose sums are taken over all of them, each in a thread of its own."""

    def __init__(self, model, barrier, values):
        self.predict = SingleProcess(model).predict
        self.barrier, self.values = barrier, values

    def reduce(self, values):
        self.values.append(values)
        self.barrier.wait(timeout=60)
        total = torch.stack(list(self.values)).sum(0)
        if self.barrier.wait(timeout=60) == 0:
            self.values.clear()
        self.barrier.wait(timeout=60)
        return total


def lines_of(workers, data, model):
    barrier, values = threading.Barrier(workers), []

    def line(rank):
        own = copy.deepcopy(model)
        worker = LocalWorker(data, EXPERIMENT.augment, seed=0, rank=rank, size=workers)
        try:
            return validation_line(own, worker, Together(own, barrier, values))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(line, range(workers)))


@pytest.fixture
def model(digits):
    torch.manual_seed(0)
    return EXPERIMENT.model.build(digits.schema)


def of_validation(data, rows):
    return replace(data, splits={**data.splits, "validation": data.splits["validation"][:rows]})


@pytest.mark.parametrize(("rows", "workers"), [(2, 3), (7, 3), (271, 2)])
def test_workers_with_few_rows_or_none_give_the_figures_of_one(digits, model, rows, workers):
    data = of_validation(digits, rows)
    (one,) = lines_of(1, data, model)
    for line in lines_of(workers, data, model):
        assert line == {**one, "loss": pytest.approx(one["loss"], rel=1e-6)}


def with_targets(data, rows, value):
    target = data.columns["target"].copy()
    target[rows] = value
    return replace(data, columns={**data.columns, "target": target})


@pytest.mark.parametrize("workers", [1, 3])
def test_rows_of_an_unknown_class_are_wrong_and_counted(digits, model, workers):
    data = of_validation(digits, 40)
    rows = data.splits["validation"]
    half = with_targets(data, rows[::2], UNKNOWN)
    found = lines_of(workers, half, model)[0]
    known = evaluate(model, [to_batch(data.take(np.delete(rows, slice(None, None, 2))), data.schema)])
    assert 0 < known.accuracy < 1
    assert found["rows_unknown"] == 20
    assert found["accuracy_known"] == pytest.approx(known.accuracy)
    assert found["accuracy"] == pytest.approx(known.accuracy / 2)
    assert found["balanced_accuracy"] == pytest.approx(known.metrics()["balanced_accuracy"])
    assert found["loss"] == pytest.approx(known.loss, rel=1e-6)
    assert sum(found["blocks_run"]) == len(rows)


def test_rows_without_a_label_are_in_no_figure(digits, model):
    data = of_validation(digits, 40)
    rows = data.splits["validation"]
    (found,) = lines_of(1, with_targets(data, rows[20:], UNLABELLED), model)
    (whole,) = lines_of(1, of_validation(digits, 20), model)
    assert found == whole and found["rows_unknown"] == 0


def test_one_answer_for_every_row_is_named(digits, model):
    with torch.no_grad():
        for head in (model.head, *model.exits.values()):
            head.linear.weight.zero_()
            head.linear.bias.copy_(torch.arange(12) == 3)
    (found,) = lines_of(1, digits, model)
    rows = digits.splits["validation"]
    share = float((digits.columns["target"][rows] == 3).mean())
    assert found["classes_answered"] == 1 and found["one_answer"] == digits.schema.target.classes[3]
    assert found["accuracy"] == pytest.approx(share) and found["balanced_accuracy"] == pytest.approx(1 / 12)
    assert found["own_figure"] == "balanced_accuracy"


def test_a_line_has_every_figure_that_a_policy_may_watch(digits, model):
    torch.nn.init.normal_(model.head.linear.weight)
    (found,) = lines_of(1, digits, model)
    assert {name for name, value in found.items() if isinstance(value, float)} == set(digits.schema.target.watched())
    assert found["classes_answered"] > 1 and "one_answer" not in found


@pytest.mark.parametrize(
    ("counts", "expected"), [([10, 10], False), ([15, 10, 0], False), ([16, 10], True), ([0, 0], False)]
)
def test_classes_are_uneven_beyond_one_and_a_half_times_the_rarest(counts, expected):
    assert uneven(counts) is expected
