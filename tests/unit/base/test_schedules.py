"""Schedules: where they start, where they end, and how they join."""

from __future__ import annotations

from itertools import pairwise

import jsonschema
import pytest
from pydantic import ValidationError

from dsray.base import Config
from dsray.base.kinds import json_schema
from dsray.base.schedules import AnySchedule, ConstantConfig, CosineConfig, JoinedConfig, LinearConfig, joined


class Holder(Config):
    epsilon: AnySchedule = ConstantConfig(value=0.0)


def values(config, steps):
    schedule = config.build(steps)
    return [schedule(step) for step in range(steps)]


def test_constant():
    assert values(ConstantConfig(value=0.3), 4) == [0.3] * 4


def test_linear_starts_at_start_and_ends_at_end():
    assert values(LinearConfig(start=1, end=3), 5) == pytest.approx([1, 1.5, 2, 2.5, 3])
    assert values(LinearConfig(end=0.1, share=0.5), 8) == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1])


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("steps", [2, 3, 10, 100])
def test_linear_reaches_its_end_within_any_stretch(share, steps):
    found = values(LinearConfig(end=0.1, share=share), steps)
    assert found[0] == 0 and found[-1] == pytest.approx(0.1)
    assert all(a <= b for a, b in pairwise(found))


def test_beyond_the_stretch_the_last_value_holds():
    for config in (LinearConfig(end=0.1), CosineConfig(peak_value=1, end=0.2), joined((1.0, LinearConfig(end=0.1)))):
        schedule = config.build(10)
        assert schedule(25) == pytest.approx(schedule(9))


def test_cosine_warms_up_to_its_peak_and_falls_to_its_end():
    found = values(CosineConfig(peak_value=1.0, end=0.1, warmup=0.1), 101)
    assert found[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(found) == found[9] == found[10] == 1.0
    assert found[55] == pytest.approx(0.55)
    assert found[-1] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(found[10:]))


def test_cosine_without_warmup_starts_at_its_peak():
    assert values(CosineConfig(peak_value=2.0, warmup=0), 3) == pytest.approx([2, 1, 0])


def test_joined_runs_each_part_over_its_share():
    config = joined((0.3, ConstantConfig(value=0.0)), (0.5, LinearConfig(end=0.4)), (0.2, ConstantConfig(value=0.2)))
    assert values(config, 10) == pytest.approx([0, 0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.2, 0.2])


def test_joined_survives_parts_shorter_than_a_step():
    config = joined((0.01, ConstantConfig(value=5.0)), (0.99, LinearConfig(end=1.0)))
    assert values(config, 3) == pytest.approx([0, 0.5, 1])
    assert values(config, 1) == [0]


def test_joined_joins_joined():
    inner = joined((0.5, ConstantConfig(value=1.0)), (0.5, ConstantConfig(value=2.0)))
    assert values(joined((0.5, inner), (0.5, ConstantConfig(value=3.0))), 8) == [1, 1, 2, 2, 3, 3, 3, 3]


def test_shares_must_sum_to_one():
    with pytest.raises(ValidationError, match=r"must sum to 1, not 0\.9"):
        joined((0.3, ConstantConfig(value=0.0)), (0.6, LinearConfig(end=1.0)))
    with pytest.raises(ValidationError):
        JoinedConfig(parts=())


def test_the_peak_is_the_largest_value():
    assert LinearConfig(start=0.3, end=0.1).peak() == 0.3
    assert joined((0.5, CosineConfig(peak_value=0.7)), (0.5, ConstantConfig(value=0.2))).peak() == pytest.approx(0.7)


@pytest.mark.parametrize(("written", "value"), [(0.25, 0.25), (1, 1.0), ("8/255", 8 / 255)])
def test_a_bare_number_is_constant(written, value):
    assert Holder(epsilon=written).epsilon == ConstantConfig(value=value)


def test_fractions_are_understood_in_every_number():
    assert LinearConfig(start="2/255", end="8/255") == LinearConfig(start=2 / 255, end=8 / 255)


@pytest.mark.parametrize("written", [float("nan"), float("inf"), "1/0", True, "fast", None])
def test_what_is_no_finite_number_is_refused(written):
    with pytest.raises(ValidationError):
        Holder(epsilon=written)


def test_the_schema_accepts_what_the_validator_accepts_and_describes_the_kinds():
    schema = json_schema(Holder)
    linear = {"kind": "linear", "end": "8/255", "share": 0.5}
    for written in (0.1, "8/255", linear, {"kind": "joined", "parts": [{"share": 1, "schedule": linear}]}):
        jsonschema.validate({"epsilon": written}, schema)
        assert Holder(epsilon=written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"epsilon": {"kind": "linear", "ent": 0.1}}, schema)
    assert "share of the stretch" in schema["$defs"]["LinearConfig"]["properties"]["share"]["description"]
