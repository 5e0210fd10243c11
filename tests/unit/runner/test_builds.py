"""Terms and policies are built from facts once before anything starts."""

from __future__ import annotations

import numpy as np
import pytest

from dsray.base import RequestError
from dsray.data import BalancedConfig, Facts, SamplerConfig
from dsray.engine.policies import CONTINUE, PolicyConfig
from dsray.experiment import Experiment
from dsray.runner.checks import check_experiment


class Alone(PolicyConfig):
    """Of version 0.1: it is told nothing."""

    kind: str = "test_builds:Alone"

    def build(self):
        return lambda history: CONTINUE


class Picky(PolicyConfig):
    """Refuses more than nine classes."""

    kind: str = "test_builds:Picky"

    def build(self, facts):
        if len(facts.counts) > 9:
            raise RequestError(f"most: {len(facts.counts)} classes are more than 9; give fewer")
        return lambda history: CONTINUE


class Patient(PolicyConfig):
    """Needs a stage of so many steps, of so many classes."""

    kind: str = "test_builds:Patient"
    least: int
    classes: int

    def build(self, facts):
        there = int((facts.counts > 0).sum())
        if facts.steps < self.least or there < self.classes:
            raise RequestError(f"least: {facts.steps} steps of {there} classes are too few")
        return lambda history: CONTINUE


class Rowless(SamplerConfig):
    """Is not told which rows there are."""

    kind: str = "test_builds:Rowless"

    def build(self, facts):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Alone(), r"^train\.policies\.1: build of Alone takes \(\); it is called with \(facts\)"),
        (Picky(), r"^train\.policies\.1\.most: 12 classes are more than 9; give fewer$"),
    ],
)
def test_what_cannot_be_built_is_refused_by_its_path(digits, policy, said):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}, "train": {"policies": ["plateau", policy]}})
    with pytest.raises(RequestError, match=said):
        check_experiment(x, digits)


TASKS = [{"name": "a", "classes": ["0", "1", "2"]}, {"name": "b", "classes": ["3", "4"]}]


def test_each_stage_is_built_from_what_it_will_be_told(digits):
    """Of its own rows and steps: of the second task's two classes, and no more and no fewer than 6 steps."""

    def check(least, classes):
        train = {"steps": 6, "policies": [Patient(least=least, classes=classes)]}
        x = {"data": {"source": "digits"}, "model": {}, "train": train, "continual": {"tasks": TASKS}}
        check_experiment(Experiment.parse(x), digits)

    check(least=6, classes=2)
    with pytest.raises(RequestError, match=r"^train\.policies\.0\.least: 6 steps of 3 classes are too few$"):
        check(least=7, classes=1)
    with pytest.raises(RequestError, match=r"^train\.policies\.0\.least: 6 steps of 2 classes are too few$"):
        check(least=6, classes=3)


def test_a_sampler_that_cannot_be_built_is_refused_by_its_path(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}, "train": {"sampler": Rowless()}})
    said = r"^train\.sampler: build of Rowless takes \(facts\); it is called with \(facts, rows, strata\)"
    with pytest.raises(RequestError, match=said):
        check_experiment(x, digits)


def test_there_is_no_balance_without_classes(digits):
    rows = np.arange(9)
    with pytest.raises(
        RequestError, match=r"^kind: balanced draws every class equally often, and this target has none"
    ):
        BalancedConfig().build(Facts(digits.schema, np.array([9]), 1), rows, rows * 0)
