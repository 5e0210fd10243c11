"""Terms and policies are built from facts once before anything starts."""

from __future__ import annotations

import pytest

from dsray.base import RequestError
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
