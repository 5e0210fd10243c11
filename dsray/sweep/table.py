"""The sweep while it runs: a live table on a terminal, a line for each trial that ends in a pipe."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dsray.record.words import percent, seconds
from dsray.sweep.results import STATES
from dsray.sweep.study import Study

ROWS = 14
"""Rows of the live table: the running trials and the newest that have ended."""


class SweepTable:
    """`with SweepTable(console, study) as table:` and then `started`, `reached`, `ended` as trials go on."""

    def __init__(self, console: Console, study: Study):
        self.console, self.study = console, study
        self.running: dict[int, tuple[float, str]] = {}
        self.began = time.monotonic()
        self._lock = threading.RLock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(_Drawn(self), console=self.console, transient=True, refresh_per_second=4)
            self._live.start()
        else:
            self._say("starting")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            if self.study.ended:
                self.console.print(self.table())

    def started(self, number: int) -> None:
        """A trial begins."""
        with self._lock:
            self.running[number] = (time.monotonic(), "training")

    def reached(self, number: int, rung: int, accuracy: float) -> None:
        """A running trial has reported its clean accuracy on the validation split."""
        with self._lock:
            if number in self.running:
                words = f"validation {rung}: accuracy {percent(accuracy)}"
                self.running[number] = (self.running[number][0], words)

    def ended(self, number: int) -> None:
        """A trial has ended; the study knows how."""
        with self._lock:
            self.running.pop(number, None)
        if self._live is None:
            trial = next(t for t in self.study.ended if t.number == number)
            took = trial.user_attrs.get("seconds", 0.0)
            self._say(f"trial {number:>3}  {outcome(trial):<14} {seconds(took):>7}  {self.words()}")

    def words(self) -> str:
        """How far the sweep is, and the best so far."""
        done = f"{len(self.study.ended)} of {self.study.tune.trials} trials"
        best = self.study.best
        return done if best is None else f"{done}, best {best.value:.4f} (trial {best.number})"

    def table(self) -> RenderableType:
        """Trials that have ended, by number, then those that run."""
        table = Table("trial", "", "value", "seconds", "", box=None, pad_edge=False)
        best = self.study.best
        with self._lock:
            running = dict(self.running)
        for trial in self.study.ended[-(ROWS - len(running)) :]:
            took = f"{trial.user_attrs.get('seconds', 0.0):.0f}"
            mark = "best" if best is not None and trial.number == best.number else ""
            style = "green" if mark else "" if trial.state == TrialState.COMPLETE else "bright_black"
            table.add_row(*(_name(trial.number)), _value(trial), took, _note(trial) or mark, style=style)
        for number, (since, words) in sorted(running.items()):
            table.add_row(*(_name(number)), "", f"{time.monotonic() - since:.0f}", words)
        return table

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


class _Drawn:
    """What rich draws anew at each refresh."""

    def __init__(self, table: SweepTable):
        self._table = table

    def __rich__(self) -> RenderableType:
        spent = seconds(time.monotonic() - self._table.began)
        return Group(self._table.table(), Text(f"{self._table.words()}, {spent}", style="bold"))


def outcome(trial: FrozenTrial) -> str:
    """The value of a trial, or the word for having none."""
    return _value(trial) or STATES[trial.state]


def _value(trial: FrozenTrial) -> str:
    return f"{trial.value:.4f}" if trial.state == TrialState.COMPLETE else ""


def _note(trial: FrozenTrial) -> str:
    if trial.state == TrialState.FAIL:
        return f"failed: {trial.user_attrs['error']}"
    return STATES[trial.state] if trial.state == TrialState.PRUNED else ""


def _name(number: int) -> tuple[str, str]:
    return str(number), "own settings" if number == 0 else ""
