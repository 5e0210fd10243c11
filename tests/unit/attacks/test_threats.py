"""What a threat lets an attacker do: nearest points, starts, radii, and which input is meant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from dsray.attacks import (
    FgsmConfig,
    L2Config,
    LinfConfig,
    PgdConfig,
    RandomSearchConfig,
    judge_batches,
    perturb,
    robust_accuracy,
)
from dsray.attacks.threats.given import threat_to
from dsray.base import RequestError
from dsray.base.batch import Batch


class Tensor(NamedTuple):
    shape: tuple[int, ...]
    range: tuple[float, float] | None
    element: str = "value"


PHOTO = {"": Tensor((1, 4, 4), (0.0, 1.0), "pixel")}
NOTE = {"": Tensor((9,), None)}
VISIT = {"number": Tensor((5,), (-2.0, 2.0)), "missing": Tensor((5,), None), "wave": Tensor((2, 3), (0.0, 1.0))}


def batch_of(rows=12, **inputs):
    torch.manual_seed(3)
    ids = torch.arange(rows)
    values = {name.replace("__", "/"): torch.rand(rows, *shape) for name, shape in inputs.items()}
    return Batch(values, ids % 2, ids, torch.zeros_like(ids))


def nearest(moved, clean, epsilon, rounds=2000):
    """Dykstra's alternating projections, which converge to the nearest point of ball and box."""
    x, p, q = moved.double(), torch.zeros_like(moved).double(), torch.zeros_like(moved).double()
    clean = clean.double()
    for _ in range(rounds):
        offset = x + p - clean
        norm = offset.flatten(1).norm(dim=1).clamp(min=1e-300)
        y = clean + offset * (epsilon / norm).clamp(max=1.0)[:, None, None, None]
        p = x + p - y
        x = (y + q).clamp(0, 1)
        q = y + q - x
    return x.float()


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 1.5, 3.0])
def test_the_l2_projection_is_the_nearest_point_of_ball_and_range(epsilon):
    batch = batch_of(photo=(1, 4, 4))
    threat, clean = threat_to(batch, "l2"), batch.inputs["photo"]
    moved = clean + 1.2 * torch.randn_like(clean)
    found = threat.project(moved, clean, epsilon)
    assert float((found - nearest(moved, clean, epsilon)).abs().max()) <= 1e-4
    scaled = (moved - clean) / (moved - clean).flatten(1).norm(dim=1)[:, None, None, None]
    clipped = (clean + epsilon * scaled).clamp(0, 1)
    farther = (clipped - moved).flatten(1).norm(dim=1) - (found - moved).flatten(1).norm(dim=1)
    assert float(farther.min()) >= -1e-6
    assert epsilon < 0.1 or float(farther.max()) > 1e-3  # scaling first and clipping then stops short of the sphere


def test_a_start_under_l2_is_uniform_in_the_ball():
    rows = 4000
    batch = batch_of(rows, x=(3,)).with_input("x", torch.full((rows, 3), 0.5))
    offset = threat_to(batch, "l2").start(batch, 0.4, 7) - 0.5
    share = offset.norm(dim=1) / 0.4
    for radius in (0.5, 0.8, 1.0):
        assert float((share <= radius + 1e-6).float().mean()) == pytest.approx(radius**3, abs=0.02)
    assert float(offset.mean(0).abs().max()) < 0.01
    assert float((offset > 0).float().mean(0).sub(0.5).abs().max()) < 0.03


def test_the_largest_step_of_l2_finds_the_worst_case_of_a_linear_model():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = 0.4 + 0.2 * torch.rand(32, 1, 4, 4)
    labels = model(images).argmax(1)
    batch = Batch({"image": images}, labels, torch.arange(32), torch.zeros(32, dtype=torch.int64))
    weight = (model[1].weight[1] - model[1].weight[0]).detach()
    expected = images.flatten(1) + 0.3 * torch.where(labels == 0, 1.0, -1.0)[:, None] * weight / weight.norm()
    for attack, near in ((FgsmConfig(), 1e-5), (PgdConfig(steps=20), 0.05)):
        moved = perturb(attack.build(), model, batch, 0.3, threat="l2").inputs["image"]
        assert float((moved.flatten(1) - expected).abs().max()) <= near


@pytest.mark.parametrize("kind", ["linf", "l2"])
@pytest.mark.parametrize("shape", [(16,), (2, 8), (1, 4, 4), (2, 2, 2, 2)], ids=str)
@pytest.mark.parametrize(
    "attack", [PgdConfig(steps=5), FgsmConfig(), RandomSearchConfig(queries=60)], ids=lambda a: a.kind
)
def test_every_attack_finds_something_on_tensors_of_any_shape(kind, shape, attack):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).requires_grad_(False)
    model[1].bias.copy_(-0.5 * model[1].weight.sum(1))
    values = 0.3 + 0.4 * torch.rand(60, *shape)
    labels = model(values).argmax(1)
    weight = model[1].weight[1] - model[1].weight[0]
    distance = (model(values) @ torch.tensor([-1.0, 1.0])).abs() / weight.norm(p={"linf": 1, "l2": 2}[kind])
    epsilon = float(distance.quantile(0.8))  # the best attack of all leaves a fifth
    left = robust_accuracy(model, values, labels, epsilon=epsilon, attacks=[attack], threat=kind)
    assert left < (0.8 if isinstance(attack, RandomSearchConfig) else 0.35)


def test_several_tensors_of_an_input_move_together_and_the_others_stay():
    batch = batch_of(visit__number=(5,), visit__missing=(5,), visit__wave=(2, 3), photo=(1, 4, 4))
    batch = batch.with_input("visit/number", 4 * batch.inputs["visit/number"] - 2)
    threat = L2Config(input="visit").on({"photo": PHOTO, "visit": VISIT})
    assert (threat.element, L2Config(input="photo").on({"photo": PHOTO}).element) == ("value", "pixel")
    assert threat.tensors == ("visit/number", "visit/wave")
    assert threat.largest == pytest.approx((5 * 4**2 + 6) ** 0.5)

    def model(batch):
        parts = batch.inputs["visit/number"].sum(1) + batch.inputs["visit/wave"].sum((1, 2))
        return torch.stack([parts, -parts], 1)

    moved = perturb(PgdConfig(steps=9).build(), model, batch, 1.5, threat=threat)
    offsets = [(moved.inputs[name] - batch.inputs[name]).flatten(1) for name in threat.tensors]
    assert torch.cat(offsets, 1).norm(dim=1).max() == pytest.approx(1.5, abs=1e-5)
    assert all(float(offset.abs().max()) > 0.1 for offset in offsets)
    for name, low, high in (("visit/number", -2, 2), ("visit/wave", 0, 1)):
        assert low <= float(moved.inputs[name].min()) and float(moved.inputs[name].max()) <= high
    for name in ("visit/missing", "photo"):
        assert torch.equal(moved.inputs[name], batch.inputs[name])
    judged = judge_batches(model, [batch], [PgdConfig(steps=9)], 1.5, threat=threat)
    assert judged.input == "visit" and judged.climbed.any()


@pytest.mark.parametrize(
    ("name", "inputs", "sentence"),
    [
        (
            None,
            {"photo": PHOTO, "visit": VISIT},
            "threat.input: is needed, since photo and visit are continuous; name one",
        ),
        ("foto", {"photo": PHOTO, "note": NOTE}, "threat.input: 'foto' is no input; did you mean 'photo'?"),
        (
            "note",
            {"photo": PHOTO, "note": NOTE},
            "threat.input: 'note' holds no continuous values to move; valid: photo",
        ),
    ],
)
def test_which_input_is_meant_is_asked_where_it_is_not_clear(name, inputs, sentence):
    for config in (LinfConfig(input=name), L2Config(input=name)):
        with pytest.raises(RequestError, match=sentence.replace("?", r"\?")):
            config.on(inputs)


def test_the_only_continuous_input_needs_no_name():
    assert LinfConfig().on({"note": NOTE, "photo": PHOTO}).input == "photo"


@pytest.mark.parametrize(
    ("threat", "inputs", "epsilon", "sentence"),
    [
        (LinfConfig(), {"x": PHOTO}, 8, "epsilon: must be in input-range units, 0 to 1; got 8; write 8/255 = 0.0314"),
        (LinfConfig(input="v"), {"v": VISIT}, 4.5, "epsilon: must be in input-range units, 0 to 4; got 4.5; write"),
        (
            L2Config(),
            {"x": PHOTO},
            128,
            "epsilon: must be a Euclidean distance in input-range units, 0 to 4; got 128; write 128/255 = 0.5020",
        ),
        (
            L2Config(),
            {"x": PHOTO},
            np.nan,
            "epsilon: must be a Euclidean distance in input-range units, 0 to 4; got nan",
        ),
    ],
)
def test_a_radius_that_reaches_too_far_is_refused_in_the_units_of_its_threat(threat, inputs, epsilon, sentence):
    with pytest.raises(RequestError) as caught:
        threat.on(inputs).check_radius(epsilon)
    assert str(caught.value).startswith(sentence)


def test_a_radius_of_a_stage_that_reaches_too_far_is_told_what_it_is_outside_of():
    """The input ranges over [0, 1]; [0, 4] are the distances in it."""
    said = "5 is outside {} [0, 4]; write 5/255 = 0.0196"
    assert L2Config().fault_of_span(0.0, 5.0, 4.0) == said.format("the distances in the input range,")
    assert LinfConfig().fault_of_span(0.0, 5.0, 4.0) == said.format("the input range")
    assert L2Config().fault_of_span(0.0, 3.5, 4.0) is None


def test_an_l2_radius_may_exceed_the_range_of_one_number():
    assert L2Config().on({"x": PHOTO}).check_radius(3.5) == 3.5


def test_an_unknown_threat_is_refused():
    with pytest.raises(RequestError, match="threat: unknown kind 'l3'; valid: linf, l2; got 'l3'"):
        robust_accuracy(nn.Linear(4, 2), torch.rand(5, 4), torch.zeros(5).long(), epsilon=0.1, threat="l3")
