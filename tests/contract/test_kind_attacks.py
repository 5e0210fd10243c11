"""An attack that breaks a promise is found out."""

from __future__ import annotations

from itertools import count

import pytest
import torch

from dsray.attacks import AttackConfig
from dsray.base import RunFailure
from dsray.testing import check_attack


def moved(batch, offset):
    return batch.with_input("image", (batch.inputs["image"] + offset).clamp(0, 1))


def with_its_company(model, batch, epsilon):
    return moved(batch, epsilon * (1 - len(batch) / 100))


CALLS = count()


def never_the_same(model, batch, epsilon):
    return moved(batch, epsilon / (2 + next(CALLS)))


def into_its_input(model, batch, epsilon):
    batch.inputs["image"][:, :, 0, 0] = 0.5
    return batch


def with_a_gradient(model, batch, epsilon):
    image = batch.inputs["image"].clone().requires_grad_()
    with torch.enable_grad():
        model(batch.with_input("image", image)).sum().backward()
    return moved(batch, epsilon * image.grad.sign())


def another_target(model, batch, epsilon):
    return type(batch)(batch.inputs, batch.target * 0, batch.rows, batch.epochs, batch.present)


def not_finite(model, batch, epsilon):
    return batch.with_input("image", batch.inputs["image"] / 0)


@pytest.mark.parametrize(
    ("propose", "promise"),
    [
        (with_its_company, "depends on its company"),
        (never_the_same, "another result when repeated"),
        (into_its_input, "wrote into its input"),
        (with_a_gradient, "changed the model"),
        (another_target, "changed 'target'"),
        (not_finite, "not finite"),
    ],
    ids=lambda p: getattr(p, "__name__", ""),
)
def test_a_broken_attack_is_found_out(propose, promise):
    class Broken(AttackConfig):
        kind: str = "broken"

        def build(self):
            return lambda model, batch, threat, epsilon, loss=None, *, seed=0, stop_early=False: propose(
                model, batch, epsilon
            )

    with pytest.raises((AssertionError, RunFailure), match=promise):
        check_attack(Broken())
