"""The adversarial rows that the gate looks at, and those that are reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsray.experiment import Experiment
from dsray.models import RoutedConfig
from dsray.runner.compress import _adversarial
from dsray.runner.place import ThisProcess

JUDGE = {"judge": {"epsilon": 0.2, "rows": 90, "attacks": [{"kind": "pgd", "steps": 3}]}}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize(
    ("section", "epsilon", "rows"), [(None, 0.1, 300), (JUDGE, 0.2, 90)], ids=["by default", "as the judgement says"]
)
def test_every_row_is_attacked_to_full_strength(digits, section, epsilon, rows, split):
    """Also rows that fell at once: one that stops where the torch model falls is an easy row for any other model."""
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema)
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}, "adversarial": section})
    moved = _adversarial(split, experiment, digits, model, ThisProcess())
    assert moved is not None and len(moved) == min(rows, len(digits.splits[split]))
    assert set(moved.rows.tolist()) <= set(digits.splits[split].tolist())
    clean = torch.from_numpy(digits.take(moved.rows.numpy())["image"])
    distance = (moved.inputs["image"] - clean).abs().flatten(1).max(1).values
    assert torch.allclose(distance, torch.full_like(distance, epsilon), atol=1e-5)


def test_without_images_there_is_nothing_to_attack(digits):
    text = digits.schema.model_copy(update={"inputs": {"text": digits.schema.inputs["text"]}})
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    only = type(digits)(**{**digits.__dict__, "schema": text})
    assert _adversarial("validation", experiment, only, RoutedConfig().build(text), ThisProcess()) is None


def test_without_an_image_in_any_row_there_is_nothing_to_attack(digits):
    absent = digits.columns["present.image"].copy()
    absent[digits.splits["test"]] = False
    none = replace(digits, columns={**digits.columns, "present.image": absent})
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    assert _adversarial("test", experiment, none, RoutedConfig().build(digits.schema), ThisProcess()) is None
