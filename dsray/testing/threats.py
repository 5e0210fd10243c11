"""The promises of threats."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dsray.attacks import Threat, ThreatConfig
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.testing.settings import check_round_trip

ROWS = 24


class _Values(NamedTuple):
    shape: tuple[int, ...]
    range: tuple[float, float] | None
    element: str = "value"


INPUTS = (
    {"": _Values((3, 4, 5), (0.0, 1.0))},
    {"": _Values((7,), (-2.0, 3.0))},
    {"number": _Values((6,), (0.0, 1.0)), "wide": _Values((2, 4), (-1.0, 4.0)), "ids": _Values((5,), None)},
)
"""Inputs of one tensor and of several, of one range and of several; the last one has ids too, which nobody may move."""


def check_threat(config: ThreatConfig) -> None:
    """Starts and projections in ball and range, nearest points, steps of use, radii that are held to what can be reached.

    What is promised of a row is promised in any company. Raises AssertionError that says which promise is broken.
    """
    check_round_trip(config)
    for tensors in INPUTS:
        threat = config.on({config.input or "x": tensors, "ids": {"": _Values((2,), None)}})
        assert threat.input == (config.input or "x"), "the threat moves another input than the one it is for"
        _check_radius(threat)
        batch = _batch(threat, tensors)
        assert torch.equal(threat.read(threat.write(batch, threat.read(batch))), threat.read(batch)), (
            "what is written is not what is read"
        )
        _check_reach(threat, batch)
        for share in (1e-3, 0.05, 0.3, 1.0):
            _check_ball(threat, batch, share * threat.largest)


def _check_radius(threat: Threat) -> None:
    assert 0 < threat.largest < float("inf"), "the largest radius of a bounded input is not finite"
    for sound in (0.0, threat.largest):
        assert threat.check_radius(sound) == sound, f"the radius {sound:g} is refused"
    for wrong in (-0.1, 1.01 * threat.largest, float("nan"), float("inf")):
        assert _refusal(threat, wrong).startswith("field: "), f"the radius {wrong:g} is not refused by its field"


def _check_reach(threat: Threat, batch: Batch) -> None:
    """Within the largest radius lies the whole range, the farthest ends of it too."""
    clean, (low, high) = threat.read(batch), threat.limits(threat.read(batch))
    low, high = (torch.as_tensor(end, dtype=clean.dtype).expand_as(clean) for end in (low, high))
    farthest = torch.where(clean - low > high - clean, low, high)
    found = threat.project(farthest, clean, threat.largest)
    assert torch.allclose(found, farthest, atol=1e-5), "the largest radius does not reach every value of the range"


def _refusal(threat: Threat, epsilon: float) -> str:
    try:
        threat.check_radius(epsilon, "field")
    except RequestError as error:
        return str(error)
    return ""


def _check_ball(threat: Threat, batch: Batch, epsilon: float) -> None:
    clean, (low, high) = threat.read(batch), threat.limits(threat.read(batch))
    starts = [threat.start(batch, epsilon, key) for key in (1, 1, 2)]
    assert torch.equal(starts[0], starts[1]), "a start gives another result when repeated"
    assert not torch.equal(starts[0], starts[2]), "a start does not depend on its key"
    toward = torch.where(clean > clean.mean(), 1.0, -1.0)
    pushed = [threat.push(clean, clean, toward, epsilon), threat.push(starts[0], clean, toward, epsilon)]
    far = clean + 3 * epsilon * torch.sin(7 * clean)
    part = torch.tensor([5, 2, 17])
    for moved in (*starts, *pushed, far, clean + 1e4 * toward, clean):
        found = threat.project(moved, clean, epsilon)
        assert torch.isfinite(found).all(), "a projection is not finite"
        assert ((found >= low) & (found <= high)).all(), "a projection leaves the range"
        again = threat.project(found, clean, epsilon)
        assert torch.equal(again, found), "a projection is projected again to another point: it was outside the ball"
        alone = threat.project(moved[part], clean[part], epsilon)
        assert torch.equal(alone, found[part]), "a row's projection depends on its company"
        _check_nearest(threat, moved, found, clean, epsilon)
    for moved in (*starts, *pushed):
        assert torch.allclose(threat.project(moved, clean, epsilon), moved, atol=1e-6), (
            "a start or push leaves the ball"
        )
    assert torch.equal(threat.project(clean, clean, epsilon), clean), "the clean row is not in its own ball"
    assert torch.equal(threat.start(batch.select(part), epsilon, 1), starts[0][part]), "a row's start is not its own"
    _check_steps(threat, clean)


def _check_nearest(threat: Threat, moved: Tensor, found: Tensor, clean: Tensor, epsilon: float) -> None:
    """No other point of ball and range is nearer: seen from `found`, `moved` lies away from each of them."""
    away = (moved - found).flatten(1)
    scale = away.norm(dim=1).clamp(min=1e-12)
    for other in (clean, found + 0.1 * epsilon * torch.cos(9 * clean), clean - moved.sub(clean)):
        inside = threat.project(other, clean, epsilon)
        angle = ((inside - found).flatten(1) * away).sum(1) / scale
        assert float(angle.max()) <= 1e-4 * max(1.0, epsilon), "a projection is not the nearest point of ball and range"


def _check_steps(threat: Threat, clean: Tensor) -> None:
    gradient = torch.sin(11 * clean)
    steps = threat.steepest(gradient)
    assert ((steps * gradient).flatten(1).sum(1) > 0).all(), "the steepest step does not go up"
    for factor in (1e-30, 1e30):
        assert torch.allclose(threat.steepest(factor * gradient), steps, atol=1e-5), (
            "the steepest step depends on the size of the gradient"
        )
    assert torch.equal(threat.steepest(torch.zeros_like(clean)), torch.zeros_like(clean)), "no gradient, yet a step"


def _batch(threat: Threat, tensors: dict[str, _Values]) -> Batch:
    """Values over the whole range; some at its ends."""
    torch.manual_seed(2)
    ids = torch.arange(ROWS)
    inputs = {}
    for part, (shape, limits, _) in tensors.items():
        low, high = limits or (0.0, 1.0)
        name = f"{threat.input}/{part}" if part else threat.input
        inputs[name] = (low + (high - low) * (1.4 * torch.rand(ROWS, *shape) - 0.2)).clamp(low, high)
    return Batch(inputs, ids % 4, ids * 7, torch.zeros_like(ids))
