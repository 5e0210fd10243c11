"""Seconds of a run and of its phases, summed over the stretches in which it was made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dsray.record import Record

REPEATED = ("data", "report")
"""Phases that every stretch goes through; they keep the seconds that they took when they were first done."""


class Stopwatch:
    """Keeps `seconds_total` and `seconds/PHASE` in `timings.json`.

    A stretch is counted once it does something that was not done: going on with a finished run changes nothing. Of a
    stretch that is killed, what came after its last `keep` is lost. started: `time.monotonic()` at its beginning.
    """

    def __init__(self, record: Record, started: float):
        self.record, self.started = record, started
        self.before = record.timings
        self.counts = False
        self._spent: dict[str, float] = {}
        self._phase: tuple[str, float] | None = None

    def count(self) -> None:
        """From now on this stretch is one that works; what it has spent so far included."""
        self.counts = True

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, to its end or to what ends it."""
        self._phase = (name, time.monotonic())
        try:
            yield
        finally:
            self._spent[name] = self.seconds
            self._phase = None
            self.keep()

    @property
    def seconds(self) -> float:
        """Of the present phase, in this stretch."""
        return time.monotonic() - self._phase[1] if self._phase else 0.0

    def keep(self) -> None:
        """Write what has been spent until now."""
        if not self.counts:
            return
        spent = self._spent | ({self._phase[0]: self.seconds} if self._phase else {})
        found = {"seconds_total": self.before.get("seconds_total", 0.0) + time.monotonic() - self.started}
        for name, seconds in spent.items():
            key = f"seconds/{name}"
            if not (name in REPEATED and key in self.before):
                found[key] = self.before.get(key, 0.0) + seconds
        self.record.update_timings(found)
