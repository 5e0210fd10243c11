"""A schedule that breaks a promise is found out."""

from __future__ import annotations

import pytest

from dsray.base.schedules import ScheduleConfig
from dsray.testing import check_schedule


def test_a_broken_schedule_is_found_out():
    class Broken(ScheduleConfig):
        kind: str = "broken"

        def build(self, steps):
            return lambda step: float("inf") if step == 500 else 0.0

    with pytest.raises(AssertionError, match="not finite over 1000 steps"):
        check_schedule(Broken())
