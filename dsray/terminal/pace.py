"""How fast training goes: rows per second and the time left, from the latest history lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any


class Pace:
    """Rates over the last `window` step lines; starts anew at the border of a stage, whose steps cost differently."""

    def __init__(self, window: int = 20):
        self._lines: deque[tuple[int, float, int]] = deque(maxlen=window)
        self._stage: object = None

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in one line of kind `step`."""
        step, time_s, rows = line.get("step"), line.get("time_s"), line.get("rows")
        if step is None or time_s is None:
            return
        last = self._lines[-1] if self._lines else None
        if line.get("stage") != self._stage or (last and (step <= last[0] or time_s < last[1])):
            self._lines.clear()
            self._stage = line.get("stage")
        self._lines.append((step, time_s, rows or 0))

    @property
    def rows_per_second(self) -> float | None:
        """None until two lines of a stage are known."""
        span = self._span()
        return span[2] / span[1] if span and span[2] else None

    def seconds_left(self, total: int) -> float | None:
        """Seconds to step `total` at the present pace; None until two lines of a stage are known."""
        span = self._span()
        return (total - self._lines[-1][0]) * span[1] / span[0] if span else None

    def _span(self) -> tuple[int, float, int] | None:
        if len(self._lines) < 2:
            return None
        (step, time_s, rows), (last_step, last_time, last_rows) = self._lines[0], self._lines[-1]
        return (last_step - step, last_time - time_s, last_rows - rows) if last_time > time_s else None
