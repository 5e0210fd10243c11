"""`dsray run`: everything that an experiment names; `dsray.run(...)` is the same function."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from dsray.base import RequestError
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.runner.run import run_at
from dsray.verbs.place import placed


def run(
    experiment: Experiment | Path | str,
    *overrides: str,
    out: Path | str | None = None,
    resume: bool = False,
    local: bool = False,
    console: Console | None = None,
    command: list[str] | None = None,
) -> Record:
    """Do everything that the experiment names and return its record.

    experiment: a file, or an `Experiment`. out: folder of the record, `runs/NAME` unless given. resume: go on with the
    record in `out` (or the newest one) where it stopped. local: without Ray. console: where progress goes; silent
    unless given. Raises RequestError for a wrong request, RunFailure when a step fails (the record keeps the rest).
    """
    if not isinstance(experiment, Experiment):
        experiment = Experiment.load(experiment, overrides)
    if local:
        experiment.parallel.check_room()
        _no_processes(experiment)
    return run_at(
        placed(experiment, local),
        experiment,
        out=out,
        resume=resume,
        console=console or Console(quiet=True),
        command=command or [],
        overrides=list(overrides),
    )


def _no_processes(experiment: Experiment) -> None:
    if experiment.parallel.processes > 1:
        raise RequestError("parallel: --local trains in one process; set parallel.workers and parallel.pipeline to 1")
