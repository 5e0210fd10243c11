"""A schedule that breaks a promise is found out."""

from __future__ import annotations

from itertools import count

import pytest
from broken import broken

from dsray.base.schedules import ScheduleConfig
from dsray.testing import check_schedule


class HalvingConfig(ScheduleConfig):
    """Right: half of the value before."""

    kind: str = "halving"

    def build(self, steps):
        return lambda step: 2.0**-step


def test_a_schedule_of_another_package_keeps_its_promises():
    check_schedule(HalvingConfig())


def asked(steps):
    calls = count()
    return lambda step: float(next(calls))


@pytest.mark.parametrize(
    ("build", "promise"),
    [
        (lambda self, steps: lambda step: float("inf") if step == 500 else 0.0, "not finite over 1000 steps"),
        (lambda self, steps: asked(steps), "depends on what was asked before"),
        (lambda self, steps: lambda step: step / (steps - 1), "fails over 1 steps"),
    ],
)
def test_a_broken_schedule_is_found_out(build, promise):
    with pytest.raises(AssertionError, match=promise):
        check_schedule(broken(HalvingConfig, build=build))
