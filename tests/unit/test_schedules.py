"""Schedules are plain functions of the step, and a number in a file is one."""

from __future__ import annotations

import itertools

import jsonschema
import pytest
from pydantic import ValidationError

from dsray.base import Config, explain, json_schema
from dsray.schedules import AnySchedule, ConstantConfig, CosineConfig, JoinedConfig, LinearConfig, joined


class Uses(Config):
    value: AnySchedule


def values(config, steps: int) -> list[float]:
    schedule = config.build(steps)
    return [schedule(step) for step in range(steps)]


@pytest.mark.parametrize(("given", "meant"), [(0.1, 0.1), (3, 3.0), ("8/255", 8 / 255), (0, 0.0)])
def test_a_number_is_a_constant(given, meant):
    schedule = Uses(value=given).value
    assert schedule == ConstantConfig(value=meant)
    assert values(schedule, 3) == [meant] * 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (True, "value: needs a 'kind', one of constant, linear, cosine, joined; got True"),
        ("linear", "value.end: is required"),
        ("lnear", "value: unknown kind 'lnear'; did you mean 'linear'?"),
        (float("inf"), "value.value: input should be a finite number; got inf"),
        ("1/0", "value.value: input should be a finite number; got"),
        ({"kind": "linear", "end": 1, "share": 0}, "value.share: input should be greater than 0; got 0"),
        ({"kind": "cosine", "peak_value": 1, "warmup": 1}, "value.warmup: input should be less than 1; got 1"),
        (
            {"kind": "joined", "parts": [{"share": 0.5, "schedule": 1}]},
            "value: the shares of a joined schedule must sum to 1, not 0.5",
        ),
    ],
)
def test_a_wrong_schedule_is_explained(given, said):
    with pytest.raises(ValidationError) as caught:
        Uses(value=given)
    assert explain(caught.value, "experiment").startswith(said)


def test_linear_reaches_its_end_at_the_last_step():
    assert values(LinearConfig(end=1.0), 5) == [0, 0.25, 0.5, 0.75, 1.0]
    assert values(LinearConfig(start=1, end=0), 3) == [1, 0.5, 0]


def test_linear_over_a_share_then_stays():
    assert values(LinearConfig(end=1.0, share=0.5), 8) == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]


def test_cosine_warms_up_then_falls():
    got = values(CosineConfig(peak_value=2.0, end=1.0, warmup=0.4), 10)
    assert got[:4] == [0.5, 1.0, 1.5, 2.0]
    assert got[4] == 2.0
    assert got[-1] == pytest.approx(1.0)
    assert all(a >= b for a, b in itertools.pairwise(got[4:]))
    assert got[4] - got[5] < got[6] - got[7], "a cosine falls slowly at first"


def test_joined_runs_each_part_over_its_own_share():
    got = values(joined((0.3, ConstantConfig(value=5)), (0.5, LinearConfig(end=4)), (0.2, ConstantConfig(value=7))), 10)
    assert got == [5, 5, 5, 0, 1, 2, 3, 4, 7, 7]


def test_joined_covers_every_step_whatever_the_rounding():
    third = JoinedConfig.model_validate(
        {"parts": [{"share": s, "schedule": s} for s in (0.333334, 0.333333, 0.333333)]}
    )
    for steps in (1, 2, 3, 4, 5, 100):
        assert len(values(third, steps)) == steps
    assert values(third, 3) == [0.333334, 0.333333, 0.333333]
    nested = joined(
        (0.5, joined((0.5, ConstantConfig(value=1)), (0.5, ConstantConfig(value=2)))), (0.5, LinearConfig(end=1))
    )
    assert values(nested, 8) == [1, 1, 2, 2, 0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]


def test_one_step_is_enough_for_every_schedule():
    for config in (
        ConstantConfig(value=1),
        LinearConfig(end=1),
        CosineConfig(peak_value=1),
        joined((1, LinearConfig(end=1))),
    ):
        assert 0 <= values(config, 1)[0] <= 1


def test_peak_is_the_largest_value():
    assert LinearConfig(start=3, end=1).peak() == 3
    assert CosineConfig(peak_value=0.25).peak(10) == 0.25


def test_schedules_survive_json():
    config = joined((0.4, LinearConfig(end=0.1)), (0.6, CosineConfig(peak_value=0.1)))
    assert Uses.model_validate_json(Uses(value=config).model_dump_json()).value == config


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (0.1, True),
        ("8/255", True),
        ({"kind": "constant", "value": "8/255"}, True),
        ({"kind": "linear", "end": 0.1}, True),
        ({"kind": "joined", "parts": [{"share": 1, "schedule": 0.1}]}, True),
        ("linear", False),
        ("a word", False),
        ({"kind": "linear"}, False),
        ({"kind": "linear", "end": 1, "shre": 1}, False),
    ],
)
def test_editors_and_validation_agree(given, accepted):
    assert jsonschema.Draft202012Validator(json_schema(Uses)).is_valid({"value": given}) == accepted
    if accepted:
        Uses(value=given)
    else:
        with pytest.raises(ValidationError):
            Uses(value=given)
