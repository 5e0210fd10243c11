"""Every built-in plug-in keeps the promises that authors of plug-ins are held to; none can be left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, get_args

import foreign
import pytest

from dsray.attacks import AnyAttack, FgsmConfig, PgdConfig, RandomSearchConfig
from dsray.augment import AnyOperation, GaussianNoiseConfig, ShiftConfig
from dsray.base import Plugin, one_of
from dsray.base.schedules import AnySchedule, ConstantConfig, CosineConfig, LinearConfig, joined
from dsray.data.schema import ImageSpec, TextSpec
from dsray.models.encoders import AnyImageEncoder, AnyTextEncoder, PatchConfig, TokensConfig
from dsray.testing import check_attack, check_encoder, check_operation, check_schedule

IMAGE = ImageSpec(column="image", channels=3, height=8, width=12)
TEXT = TextSpec(column="text", length=6, vocabulary=20, tokenizer="")


class Kind(NamedTuple):
    """One kind: its union, the check of its promises, at least one example of each member, and some of other packages."""

    union: Any
    check: Callable[[Any], None]
    examples: tuple[Plugin, ...]
    foreign: tuple[Plugin, ...] = ()

    @property
    def name(self) -> str:
        return str(get_args(self.union)[0].__name__)


KINDS = (
    Kind(
        AnyAttack,
        check_attack,
        (
            FgsmConfig(),
            PgdConfig(steps=5),
            PgdConfig(steps=3, random_start=False),
            PgdConfig(steps=3, restarts=2, loss="margin"),
            RandomSearchConfig(queries=30),
        ),
    ),
    Kind(AnyOperation, check_operation, (GaussianNoiseConfig(sigma=0.2), ShiftConfig(pixels=2, chance=0.5))),
    Kind(
        AnySchedule,
        check_schedule,
        (
            ConstantConfig(value=0.1),
            LinearConfig(end=0.1, share=0.5),
            CosineConfig(peak_value=1e-3),
            joined((0.3, ConstantConfig(value=0.0)), (0.7, LinearConfig(end=1.0))),
        ),
    ),
    Kind(
        AnyImageEncoder,
        partial(check_encoder, spec=IMAGE),
        (PatchConfig(), PatchConfig(patch=2, width=24)),
        (foreign.WavesConfig(), foreign.WavesConfig(start=0.5)),
    ),
    Kind(AnyTextEncoder, partial(check_encoder, spec=TEXT), (TokensConfig(),)),
)


def members(union: Any) -> one_of:
    return next(word for word in get_args(union) if isinstance(word, one_of))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_member_of_the_union_has_an_example_here(kind: Kind):
    expected = members(kind.union).members
    assert {type(config) for config in kind.examples} == set(expected.values())
    assert all(config.kind in expected for config in kind.examples)


CHECKS = [(kind.check, config) for kind in KINDS for config in (*kind.examples, *kind.foreign)]


@pytest.mark.parametrize(("check", "config"), CHECKS, ids=lambda value: getattr(value, "kind", ""))
def test_it_keeps_its_promises(check: Callable[[Any], None], config: Plugin):
    check(config)
