"""The promises of schedules."""

from __future__ import annotations

import math

from dsray.base.schedules import ScheduleConfig
from dsray.testing.settings import check_round_trip


def check_schedule(config: ScheduleConfig) -> None:
    """Finite at every step of short and long stretches, and a function of the step alone."""
    check_round_trip(config)
    for steps in (1, 2, 7, 1000):
        try:
            schedule = config.build(steps)
            values = [schedule(step) for step in range(steps)]
        except ArithmeticError as error:
            raise AssertionError(f"fails over {steps} steps ({error})") from error
        assert all(math.isfinite(value) for value in values), f"not finite over {steps} steps"
        backward = [schedule(step) for step in reversed(range(steps))]
        assert values == backward[::-1], "the value at a step depends on what was asked before"
