"""Every built-in plug-in keeps the promises that authors of plug-ins are held to."""

from __future__ import annotations

import numpy as np
import pytest

from dsray.attacks import AttackConfig, FgsmConfig, PgdConfig, RandomSearchConfig
from dsray.augment import GaussianNoiseConfig, ShiftConfig
from dsray.schedules import ConstantConfig, CosineConfig, LinearConfig, joined
from dsray.testing import check_attack, check_operation, check_schedule

ATTACKS = [
    FgsmConfig(),
    PgdConfig(steps=5),
    PgdConfig(steps=3, restarts=2, loss="margin"),
    RandomSearchConfig(queries=30),
]
SCHEDULES = [
    ConstantConfig(value=0.1),
    LinearConfig(end=0.1, share=0.5),
    CosineConfig(peak_value=1e-3),
    joined((0.3, ConstantConfig(value=0.0)), (0.7, LinearConfig(end=1.0))),
]


@pytest.mark.parametrize("config", ATTACKS, ids=lambda c: c.name)
def test_attack(config):
    check_attack(config)


@pytest.mark.parametrize(
    "config", [GaussianNoiseConfig(sigma=0.2), ShiftConfig(pixels=2, chance=0.5)], ids=lambda c: c.kind
)
def test_operation(config):
    check_operation(config)


@pytest.mark.parametrize("config", SCHEDULES, ids=lambda c: c.kind)
def test_schedule(config):
    check_schedule(config)


def test_a_broken_attack_is_found_out():
    class Forgetful(AttackConfig):
        kind: str = "forgetful"

        def build(self):
            calls = iter(np.random.default_rng(0).random(100).tolist())

            def attack(model, batch, epsilon, loss=None, *, seed=0, stop_early=False):
                return batch.with_input("image", batch.inputs["image"] + epsilon * next(calls) * (1 - len(batch) / 100))

            return attack

    with pytest.raises(AssertionError, match="company"):
        check_attack(Forgetful())
