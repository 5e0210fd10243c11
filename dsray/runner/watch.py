"""What a run shows of its trainings while they go on: the progress line, TensorBoard, the time to the first step."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Self

from dsray.record import Record
from dsray.record.figures import figures_of
from dsray.record.sinks.tensorboard import TensorBoardWriter
from dsray.runner.stopwatch import Stopwatch
from dsray.terminal.progress import Progress


class RunWatch:
    """Takes the lines of each training; every training has events of its own, the twin's in `undefended/`.

    The progress line shows one training at a time, in the order in which they begin.
    """

    def __init__(self, record: Record, progress: Progress, stopwatch: Stopwatch):
        self.record, self.progress, self.stopwatch = record, progress, stopwatch
        self._own = figures_of(record)
        self._boards: dict[str, TensorBoardWriter] = {}
        self._open = ExitStack()
        self._fresh = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._open.close()

    def begin(self, training: str, step: int) -> None:
        """A training begins at `step`, or goes back to it: what was shown of later steps is done again."""
        if training in self._boards:
            self._boards[training].purge(step)
        else:
            board = self._open.enter_context(TensorBoardWriter(self.record.path / training))
            board.catch_up(self.record.history(f"history-{training}.jsonl" if training else "history.jsonl"))
            self._boards[training] = board
            self.progress.begin(training)
        self._fresh = self._fresh or (not training and step == 0)

    def line(self, training: str, line: dict[str, Any]) -> None:
        """One line of a training's history, handed on once."""
        if self._fresh and not training and line["kind"] == "step":
            self._fresh = False
            if "seconds_to_first_step" not in self.record.timings:  # it stays that of the first stretch
                self.record.update_timings({"seconds_to_first_step": time.monotonic() - self.stopwatch.started})
        if line["kind"] == "checkpoint":
            self.stopwatch.keep()
        self.progress.line(line, training, self._own)
        self._boards[training].add(line)

    def end(self, training: str) -> None:
        """A training is over."""
        self.progress.end(training)
