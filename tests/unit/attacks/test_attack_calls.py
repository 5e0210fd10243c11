"""An attack that is called otherwise, or gives something else, is told in one sentence, before anything is trained."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from dsray.attacks import AttackConfig, FgsmConfig, perturb
from dsray.base import RequestError, RunFailure
from dsray.base.batch import Batch
from dsray.data import prepare
from dsray.experiment import Experiment
from dsray.runner.checks import check_experiment

ROWS = torch.arange(4)
BATCH = Batch({"image": torch.rand(4, 1, 8, 8)}, ROWS % 2, ROWS, torch.zeros_like(ROWS))
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
CALLED = r"it is called with \(model, batch, threat, epsilon, loss, \*, seed, stop_early\)"


def before(model, batch, epsilon, loss, *, seed, stop_early):
    """An attack of version 0.1."""
    return batch


class BeforeConfig(AttackConfig):
    """Wrong: its attack knows no threat."""

    kind: Literal["test_attack_calls:BeforeConfig"] = "test_attack_calls:BeforeConfig"

    def build(self):
        return before


def test_an_attack_without_a_threat_is_told_how_it_is_called():
    with pytest.raises(RequestError, match=r"^attack: before takes \(model, batch, epsilon, loss, .*; " + CALLED):
        perturb(before, MODEL, BATCH, 0.1)


def test_a_type_error_inside_an_attack_stays_what_it_is():
    def attack(model, batch, threat, epsilon, loss, *, seed, stop_early):
        return len(3)

    with pytest.raises(TypeError, match="has no len"):
        perturb(attack, MODEL, BATCH, 0.1)


@pytest.mark.parametrize("given", [None, torch.zeros(4)], ids=["none", "tensor"])
def test_an_attack_that_gives_no_batch_is_a_failure_by_its_name(given):
    def proposing(model, batch, threat, epsilon, loss, *, seed, stop_early):
        return given

    with pytest.raises(RunFailure, match=f"^attack: proposing gave a {type(given).__name__}; it must give a Batch$"):
        perturb(proposing, MODEL, BATCH, 0.1)


@pytest.mark.parametrize(
    ("place", "adversarial"),
    [
        ("judge.attacks.1", {"judge": {"attacks": [FgsmConfig(), BeforeConfig()]}}),
        ("stages.0.attack", {"stages": [{"steps": 1, "epsilon": 0.1, "attack": BeforeConfig()}]}),
    ],
)
def test_an_experiment_with_such_an_attack_is_refused_before_it_starts(place, adversarial):
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}, "adversarial": adversarial})
    with pytest.raises(RequestError, match=rf"^adversarial\.{place}: before takes .*; {CALLED}"):
        check_experiment(experiment, prepare(experiment.data))
