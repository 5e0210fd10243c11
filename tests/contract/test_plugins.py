"""Every built-in plug-in keeps the promises that authors of plug-ins are held to; none can be left out."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any, get_args

import foreign
import pytest
import torch

from dsray.attacks import AnyAttack, AttackConfig, FgsmConfig, PgdConfig, RandomSearchConfig
from dsray.augment import AnyOperation, GaussianNoiseConfig, OperationConfig, ShiftConfig
from dsray.base import RunFailure, one_of
from dsray.base.schedules import AnySchedule, ConstantConfig, CosineConfig, LinearConfig, ScheduleConfig, joined
from dsray.data.schema import ImageSpec, TextSpec
from dsray.models.encoders import AnyImageEncoder, AnyTextEncoder, EncoderConfig, PatchConfig, TokensConfig
from dsray.testing import check_attack, check_encoder, check_operation, check_schedule

ATTACKS = (
    FgsmConfig(),
    PgdConfig(steps=5),
    PgdConfig(steps=3, random_start=False),
    PgdConfig(steps=3, restarts=2, loss="margin"),
    RandomSearchConfig(queries=30),
)
OPERATIONS = (GaussianNoiseConfig(sigma=0.2), ShiftConfig(pixels=2, chance=0.5))
SCHEDULES = (
    ConstantConfig(value=0.1),
    LinearConfig(end=0.1, share=0.5),
    CosineConfig(peak_value=1e-3),
    joined((0.3, ConstantConfig(value=0.0)), (0.7, LinearConfig(end=1.0))),
)
IMAGE_ENCODERS = (PatchConfig(), PatchConfig(patch=2, width=24))
TEXT_ENCODERS = (TokensConfig(),)
IMAGE = ImageSpec(column="image", channels=3, height=8, width=12)
TEXT = TextSpec(column="text", length=6, vocabulary=20, tokenizer="")


@pytest.mark.parametrize(
    ("union", "examples"),
    [
        (AnyAttack, ATTACKS),
        (AnyOperation, OPERATIONS),
        (AnySchedule, SCHEDULES),
        (AnyImageEncoder, IMAGE_ENCODERS),
        (AnyTextEncoder, TEXT_ENCODERS),
    ],
)
def test_every_member_of_the_union_has_an_example_here(union: Annotated[Any, ""], examples):
    members = next(word for word in get_args(union) if isinstance(word, one_of)).members
    assert {type(config) for config in examples} == set(members.values())
    assert all(config.kind in members for config in examples)


@pytest.mark.parametrize("config", ATTACKS, ids=lambda c: c.name)
def test_attack(config: AttackConfig):
    check_attack(config)


@pytest.mark.parametrize("config", OPERATIONS, ids=lambda c: c.kind)
def test_operation(config: OperationConfig):
    check_operation(config)


@pytest.mark.parametrize("config", SCHEDULES, ids=lambda c: c.kind)
def test_schedule(config: ScheduleConfig):
    check_schedule(config)


@pytest.mark.parametrize("config", [*IMAGE_ENCODERS, foreign.WavesConfig(), foreign.WavesConfig(start=0.5)])
def test_image_encoder(config: EncoderConfig):
    check_encoder(config, IMAGE)


@pytest.mark.parametrize("config", TEXT_ENCODERS, ids=lambda c: c.kind)
def test_text_encoder(config: EncoderConfig):
    check_encoder(config, TEXT)


@pytest.mark.parametrize(
    ("config", "promise"),
    [
        (foreign.EagerConfig(), "build does not work on the meta device"),
        (foreign.ForgetfulConfig(), "comes back from disk gives other tokens"),
        (foreign.GrowingConfig(), "does not come back from disk when it was trained .*size mismatch for .*seen"),
        (foreign.DriftingConfig(), "comes back from disk gives other tokens"),
        (foreign.CrowdedConfig(), "depend on its company"),
    ],
    ids=lambda v: getattr(v, "kind", ""),
)
def test_a_broken_encoder_is_found_out(config: EncoderConfig, promise: str):
    with pytest.raises(AssertionError, match=promise):
        check_encoder(config, IMAGE)


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
            return lambda model, batch, epsilon, loss=None, *, seed=0, stop_early=False: propose(model, batch, epsilon)

    with pytest.raises((AssertionError, RunFailure), match=promise):
        check_attack(Broken())


def test_a_broken_operation_is_found_out():
    class Broken(OperationConfig):
        kind: str = "broken"

        def build(self):
            return lambda columns, key: columns | {"image": columns["image"] * columns["image"].mean()}

    with pytest.raises(AssertionError, match="company"):
        check_operation(Broken())


def test_a_broken_schedule_is_found_out():
    class Broken(ScheduleConfig):
        kind: str = "broken"

        def build(self, steps):
            return lambda step: float("inf") if step == 500 else 0.0

    with pytest.raises(AssertionError, match="not finite over 1000 steps"):
        check_schedule(Broken())
