"""What balanced sampling and class weights are worth where half of the classes are rare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dsray.data import prepare, to_batch
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.runner.training import train

TREE = {
    "data": {
        "source": {"kind": "digits", "questions": False},
        "image": {"column": "image", "size": 8},
        "label": "digit",
    },
    "model": {"width": 32, "trunk": {"hidden": 32, "experts": {"hidden": 32}}},
}


@pytest.fixture(scope="module")
def rare():
    """The digits with 10 training rows of each odd one."""
    data = prepare(Experiment.parse(TREE).data)
    rows = data.splits["train"]
    target = data.columns["target"][rows]
    kept = [rows[target == digit][: 10 if digit % 2 else 200] for digit in range(10)]
    return replace(data, splits=data.splits | {"train": np.sort(np.concatenate(kept))})


def mean_recall(data, **settings):
    """Of the digits, on the test rows."""
    x = Experiment.parse(TREE | {"train": {"steps": 150, "rates": {"schedule": 0.003}, **settings}})
    model = train(x, LocalWorker(data, x.augment, seed=0))
    batch = to_batch(data.take(data.splits["test"]), data.schema)
    with torch.no_grad():
        right = model.classify(batch).argmax(1) == batch.target
    return np.mean([float(right[batch.target == digit].float().mean()) for digit in range(10)])


def test_rare_classes_are_found_more_often(rare):
    plain = mean_recall(rare)
    found = [mean_recall(rare, sampler="balanced"), mean_recall(rare, task={"weights": "balanced"})]
    assert all(recall > plain + 0.03 for recall in found), (plain, found)
