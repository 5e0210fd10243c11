"""An optimiser that breaks a promise is found out."""

from __future__ import annotations

import pytest
import torch
from broken import broken

from dsray.optim import OptimizerConfig
from dsray.testing import check_optimizer


class Down(torch.optim.SGD):
    """Plain descent, written out so that a part of it can be replaced."""

    def __init__(self, groups):
        super().__init__(groups, lr=0.0)
        self.last = {}

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.one(p, group)

    def one(self, p, group):
        if p.grad is not None:
            p -= group["lr"] * (p.grad + group["weight_decay"] * p)


class DownConfig(OptimizerConfig):
    """Right: the plain way."""

    kind: str = "down"

    def make(self, groups):
        return Down(groups)


def test_an_optimizer_of_another_package_keeps_its_promises():
    check_optimizer(DownConfig())


def at_its_own_rate(self, p, group):
    if p.grad is not None:
        p -= 0.01 * p.grad


def at_one_rate(self, p, group):
    if p.grad is not None and group["lr"]:
        p -= 0.01 * p.grad


def all_at_one_rate(self, p, group):
    if p.grad is not None and self.param_groups[-1]["lr"]:
        p -= 0.01 * p.grad


def without_a_gradient(self, p, group):
    p -= group["lr"] * (p if p.grad is None else p.grad)


def up(self, p, group):
    if p.grad is not None:
        p += group["lr"] * p.grad


def decaying_all(self, p, group):
    if p.grad is not None:
        p -= group["lr"] * (p.grad + 0.1 * p)


def with_a_memory_of_its_own(self, p, group):
    if p.grad is not None:
        self.last[p] = p.grad + 0.5 * self.last.get(p, 0)
        p -= group["lr"] * self.last[p]


def with_noise(self, p, group):
    if p.grad is not None:
        p -= group["lr"] * p.grad * (1 + 0.01 * torch.rand(()))


@pytest.mark.parametrize(
    ("one", "promise"),
    [
        (at_its_own_rate, "moves at a rate of 0"),
        (all_at_one_rate, "whose rate has the scale 0"),
        (at_one_rate, "smaller scale did not make a smaller step"),
        (without_a_gradient, "has no gradient"),
        (up, "a step raised a quadratic"),
        (decaying_all, "a bias decays"),
        (with_a_memory_of_its_own, "goes on otherwise from its state on disk"),
        (with_noise, "goes on otherwise from its state on disk"),
    ],
)
def test_a_broken_optimizer_is_found_out(one, promise):
    make = type("Broken", (Down,), {"one": one})
    with pytest.raises(AssertionError, match=promise):
        check_optimizer(broken(DownConfig, make=lambda self, groups: make(groups)))


def test_an_optimizer_that_makes_groups_of_its_own_is_found_out():
    def make(self, groups):
        return torch.optim.SGD([p for group in groups for p in group["params"]], lr=0.0)

    with pytest.raises(AssertionError, match=r"its groups name \[\], needs each of"):
        check_optimizer(broken(DownConfig, make=make))


def test_an_optimizer_that_swaps_scales_is_found_out():
    def make(self, groups):
        return Down([{**group, "scale": 1.0} for group in groups])

    with pytest.raises(AssertionError, match=r"a group of scale 1.0 holds parameters of {0.0}"):
        check_optimizer(broken(DownConfig, make=make))
