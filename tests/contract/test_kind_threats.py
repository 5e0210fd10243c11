"""A threat that breaks a promise is found out."""

from __future__ import annotations

import pytest
import torch
from broken import broken

from dsray.attacks import L2Config, LinfConfig
from dsray.attacks.threats.l2 import L2
from dsray.attacks.threats.linf import Linf
from dsray.testing import check_threat


class BoxConfig(LinfConfig):
    """Right: the same ball under another name."""

    kind: str = "box"

    def build(self, input, tensors):
        return Linf(self, input, tensors)


def test_a_threat_of_another_package_keeps_its_promises():
    check_threat(BoxConfig())


def anywhere(self, moved, clean, epsilon):
    return torch.clamp(moved, clean - epsilon, clean + epsilon)


def smaller(self, moved, clean, epsilon):
    return Linf.project(self, moved, clean, 0.5 * epsilon)


def halfway(self, moved, clean, epsilon):
    return clean + (1 if epsilon == self.largest else 0.9) * (Linf.project(self, moved, clean, epsilon) - clean)


def in_company(self, moved, clean, epsilon):
    return Linf.project(self, clean + (moved - clean) * len(moved) / 24, clean, epsilon)


def always_one(self, batch, epsilon, key):
    return Linf.start(self, batch, epsilon, 1)


def never_one(self, batch, epsilon, key):
    clean = self.read(batch)
    return self.project(clean + epsilon * (2 * torch.rand_like(clean) - 1), clean, epsilon)


def too_far(self, batch, epsilon, key):
    return self.read(batch) + 3 * (Linf.start(self, batch, epsilon, key) - self.read(batch))


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"project": anywhere}, "a projection leaves the range"),
        ({"project": smaller}, "largest radius does not reach every value"),
        ({"project": halfway}, "projected again to another point"),
        ({"project": in_company}, "a row's projection depends on its company"),
        ({"start": always_one}, "a start does not depend on its key"),
        ({"start": never_one}, "a start gives another result when repeated"),
        ({"start": too_far}, "a start or push leaves the ball"),
        ({"steepest": lambda self, gradient: -gradient.sign()}, "the steepest step does not go up"),
        ({"steepest": lambda self, gradient: gradient}, "depends on the size of the gradient"),
        ({"steepest": lambda self, gradient: gradient.sign() + (gradient == 0)}, "no gradient, yet a step"),
        ({"push": lambda self, moved, clean, toward, epsilon: clean + 2 * epsilon * toward}, "leaves the ball"),
        ({"check_radius": lambda self, epsilon, field="epsilon": epsilon}, "the radius -0.1 is not refused"),
    ],
)
def test_a_broken_threat_is_found_out(replaced, promise):
    threat = type("Broken", (Linf,), replaced)
    with pytest.raises(AssertionError, match=promise):
        check_threat(broken(BoxConfig, build=lambda self, input, tensors: threat(self, input, tensors)))


def test_a_threat_to_another_input_is_found_out():
    with pytest.raises(AssertionError, match="moves another input"):
        check_threat(broken(BoxConfig, build=lambda self, input, tensors: Linf(self, "other", tensors)))


def test_a_threat_without_a_largest_radius_is_found_out():
    with pytest.raises(AssertionError, match="largest radius of a bounded input is not finite"):
        check_threat(broken(BoxConfig, largest=lambda self, widths: float("inf")))


class ScaledFirst(L2):
    """Scales to the ball and clips then, as most libraries do: inside both, yet not the nearest point."""

    def project(self, moved, clean, epsilon):
        offset = moved - clean
        norm = offset.flatten(1).norm(dim=1).clamp(min=1e-12).reshape(-1, *[1] * (moved.ndim - 1))
        outside = norm > epsilon * (1 + 1e-5)
        return self.inside(torch.where(outside, clean + offset * epsilon / norm, moved))


def test_a_projection_that_stops_short_is_found_out():
    build = lambda self, input, tensors: ScaledFirst(self, input, tensors)  # noqa: E731
    with pytest.raises(AssertionError, match="not the nearest point of ball and range"):
        check_threat(broken(L2Config, build=build))
