"""Validation on any number of workers gives the figures of one, over the rows whose class is known."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from dsray.data import to_batch
from dsray.engine import LocalWorker, evaluate
from dsray.engine.executions import SingleProcess
from dsray.engine.validate import validation_line
from dsray.experiment import Experiment

EXPERIMENT = Experiment.parse(
    {
        "data": {"source": "digits"},
        "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
    }
)


class Together(SingleProcess):
    """One of several executions whose sums are taken over all of them, each in a thread of its own."""

    def __init__(self, model, barrier, values):
        super().__init__(model)
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


def test_rows_of_an_unknown_class_are_not_counted(digits, model):
    data = of_validation(digits, 40)
    rows = data.splits["validation"]
    target = data.columns["target"].copy()
    target[rows[::2]] = -1
    half = replace(data, columns={**data.columns, "target": target})
    (found,) = lines_of(1, half, model)
    known = evaluate(model, [to_batch(data.gather(np.delete(rows, slice(None, None, 2))), data.schema)])
    assert found["accuracy"] == pytest.approx(known.accuracy)
    assert found["loss"] == pytest.approx(known.loss, rel=1e-6)
    assert sum(found["blocks_run"]) == len(rows)
