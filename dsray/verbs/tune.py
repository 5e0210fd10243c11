"""`dsray tune`: search the space of an experiment's `tune` section."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from dsray.experiment import Experiment
from dsray.record import Record
from dsray.sweep.search import sweep_at


def tune_experiment(
    experiment: Experiment | Path | str,
    overrides: Iterable[str] = (),
    *,
    out: Path | None = None,
    resume: bool = False,
    console: Console | None = None,
    command: list[str] | None = None,
) -> Record:
    """Search the space of an experiment, with its trials on Ray, and return the sweep's record.

    The arguments are those of `dsray.run`.
    """
    if not isinstance(experiment, Experiment):
        experiment = Experiment.load(experiment, overrides)

    def trials(*work: Any) -> None:
        from dsray.runtime.tune import run_trials  # loads ray, which a sweep that is finished does not need

        run_trials(*work)

    return sweep_at(
        trials, experiment, out=out, resume=resume, console=console or Console(quiet=True), command=command or []
    )
