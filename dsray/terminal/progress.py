"""The live line of a run: a moving line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dsray.base.figures import Figure
from dsray.record.endings import ending
from dsray.record.words import percent, seconds, short_label, spoken
from dsray.terminal.pace import Pace

PLAIN_INTERVAL_S = 5.0


class Progress:
    """Shows the phase at work; fed with history lines, from any thread.

    `with Progress(console) as p: p.phase("training", total_steps); p.line(line); p.done("training", 17.6, "97.4 %")`
    """

    def __init__(self, console: Console, interval_s: float = PLAIN_INTERVAL_S):
        self._console = console
        self._interval_s = interval_s
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._shown_at = 0.0
        self._name: str | None = None
        self._total: int | None = None
        self._own: Sequence[Figure] = ()
        self._validation: Mapping[str, Any] = {}
        self._last: Mapping[str, Any] = {}
        self._reset(None, None)

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(_Line(self), console=self._console, transient=True, refresh_per_second=8)
            self._live.start(refresh=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._reset(None, None)
            self._live.stop()
            self._live = None

    def phase(self, name: str, total_steps: int | None = None) -> None:
        """Begin a phase, or tell how many steps it counts as soon as that is known: `total_steps`."""
        with self._lock:
            known = name == self._name
            self._reset(name, total_steps)
            if self._live is None and not known:
                self._console.print(f"{name} ...", highlight=False, markup=False)
                self._shown_at = time.monotonic()

    def begin(self, training: str) -> None:
        """A training of this phase begins; its lines are shown once those that began before it are over."""
        with self._lock:
            if training not in self._trainings:
                self._trainings.append(training)

    def end(self, training: str) -> None:
        """A training is over; the next one, if there is one, is shown from now on."""
        with self._lock:
            if training in self._trainings[:1]:
                self._forget_figures(None)
            if training in self._trainings:
                self._trainings.remove(training)

    def line(self, line: Mapping[str, Any], training: str = "", own: Sequence[Figure] = ()) -> None:
        """Take in one line of the history of a training; "" is the model's own, another name stands in the line.

        own: the figures of the target.
        """
        with self._lock:
            self._own = own
            if line.get("kind") == "damaged":
                self._console.print(str(line.get("said")), highlight=False, markup=False, soft_wrap=True)
            if words := ending(line, own):
                self.say(f"{training}: {words}" if training else words)
            if self._trainings and training != self._trainings[0]:
                return
            if line.get("kind") == "validation":
                self._validated(line, training)
            if line.get("kind") != "step":
                return
            self._pace.add(line)
            self._step, self._last = line["step"], line
            self._total = line.get("total", self._total)
            if self._live is None and time.monotonic() - self._shown_at >= self._interval_s:
                self._shown_at = time.monotonic()
                self._console.print(self.words(), highlight=False, markup=False, soft_wrap=True)

    def done(self, name: str, took_s: float, note: str = "") -> None:
        """End a phase with a line that stays."""
        with self._lock:
            self._reset(None, None)
            tick = "✓" if self._live is not None and self._console.encoding.startswith("utf") else "done"
            text = Text.assemble((tick, "green"), f"  {name:<12}", (f"{seconds(took_s):>8}", "bold"), f"  {note}")
            text.rstrip()
            self._console.print(text, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line that stays, indented below the phase that it is about."""
        with self._lock:
            self._console.print(Text(f"  {text}"), highlight=False, soft_wrap=True)

    def words(self) -> str:
        """The line as plain words: stage, step, time left, loss, validation accuracy, epsilon, rows/s."""
        return "  ".join([self._title(), *self._figures()])

    def _title(self) -> str:
        """The phase, and which training of it where that is not the model's own."""
        return " ".join(filter(None, [self._name, *self._trainings[:1]]))

    def _validated(self, line: Mapping[str, Any], training: str) -> None:
        """Keep the figures of a validation, and say it once when every row begins to get one and the same answer."""
        only = line.get("one_answer")
        if only is not None and only != self._validation.get("one_answer"):
            self.say(
                f'{training} validation at step {line.get("step"):,}: one answer ("{only}") for every row'.lstrip()
            )
        self._validation = line

    def _reset(self, name: str | None, total: int | None) -> None:
        self._name = name
        self._began = time.monotonic()
        self._trainings: list[str] = []
        self._forget_figures(total)

    def _forget_figures(self, total: int | None) -> None:
        self._total = total
        self._pace = Pace()
        self._step = 0
        self._last = {}
        self._validation = {}

    def _figures(self) -> list[str]:
        figures = [str(self._last["stage"])] if "stage" in self._last else []
        if self._total:
            figures.append(f"{self._step:,}/{self._total:,} steps")
        left = self._pace.seconds_left(self._total) if self._total else None
        if left is not None:
            figures.append(f"{_whole(left)} left")
        if self._last.get("loss") is not None:
            figures.append(f"loss {self._last['loss']:.3f}")
        if self._validation.get("accuracy") is not None:
            figures.append(f"validation {percent(self._validation['accuracy'])}")
        own = self._validation.get("own_figure")
        if own not in (None, "accuracy") and own in self._validation:
            figures.append(f"{short_label(own, self._own)} {spoken(own, self._validation[own], self._own)}")
        if self._last.get("epsilon"):
            figures.append(f"epsilon {self._last['epsilon']:.3f}")
        rate = self._pace.rows_per_second
        if rate is not None:
            figures.append(f"{rate:,.0f} rows/s")
        return figures


class _Line:
    """The moving line, drawn anew by rich at each refresh; cut at the edge of the terminal."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._unicode = progress._console.encoding.startswith("utf")

    def __rich__(self) -> Text:
        progress = self._progress
        with progress._lock:
            if progress._name is None:
                return Text("")
            elapsed = time.monotonic() - progress._began
            frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "|/-\\"
            text = Text(no_wrap=True, overflow="ellipsis" if self._unicode else "crop")
            text.append(frames[int(elapsed * 8) % len(frames)] + " ", style="green")
            text.append(progress._title(), style="bold")
            text.append(f"  {_whole(elapsed)}  ")
            if progress._total:
                text.append_text(self._bar(progress._step / progress._total))
            return text.append("  ".join(progress._figures()))

    def _bar(self, share: float, width: int = 12) -> Text:
        full = round(min(1.0, share) * width)
        done, left = ("━", "━") if self._unicode else ("=", "-")
        return Text.assemble((done * full, "green"), (left * (width - full), "bright_black"), "  ")


def _whole(value: float) -> str:
    return seconds(value) if value >= 59.5 else f"{value:.0f} s"
