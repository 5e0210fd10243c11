"""`dsray tune`: a sweep from its space to best.yaml, in a record of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from dsray.base import RequestError, RunFailure
from dsray.data import Prepared, prepare
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.runner.checks import check_experiment
from dsray.runner.original import note_contents
from dsray.runner.run import RUNS, open_record
from dsray.runner.stopwatch import Stopwatch
from dsray.runner.writer import running
from dsray.sweep.drawing import check_space, sweep_of
from dsray.sweep.results import write_results
from dsray.sweep.study import Study
from dsray.sweep.table import SweepTable

Trials = Callable[[Study, Path, Path, SweepTable], None]
"""Runs what is left of a study. The paths: of the cache of prepared rows, and of a folder for its own files."""


def sweep_at(
    trials: Trials, experiment: Experiment, *, out: Path | None, resume: bool, console: Console, command: list[str]
) -> Record:
    """Search the experiment's space and leave trials.parquet, best.yaml and summary.json in the record's `tune/`.

    A sweep that was killed goes on with `resume`: trials that had ended keep their numbers and values, none is run
    again. Raises RequestError before anything starts for a space that does not fit, RunFailure when no trial succeeds.
    """
    started = time.monotonic()
    _check_room(experiment)
    cache = (out.parent if out else RUNS) / ".cache"
    data = _prepared(experiment, cache)
    check_experiment(experiment, data)
    check_space(experiment, data)
    record = open_record(experiment, out, resume, command, [])
    study: Study | None = None
    begun = None if resume else lambda: bool(study and study.ended)
    with running(record, command, console, begun=begun):
        study = Study(record.path / "tune", experiment)
        if study.ended:
            console.print(f"{len(study.ended)} of {study.tune.trials} trials are finished already", highlight=False)
        note_contents(record, experiment.data)
        stopwatch = Stopwatch(record, started)
        if study.left() or not resume:
            stopwatch.count()
        _search(trials, study, cache, record, console)
        if study.best is None:
            reason = (study.errors or ["every trial was stopped early"])[0]
            raise RunFailure(f"tune: no trial succeeded; the first said: {reason}")
        summary = write_results(record, study)
        record.update_metrics(_figures(summary))
        record.update_timings(_timings(study))
        stopwatch.keep()
    _tell(record, summary, time.monotonic() - started, console)
    return record


def _search(trials: Trials, study: Study, cache: Path, record: Record, console: Console) -> None:
    if study.left() == 0:
        return
    with SweepTable(console, study) as table:
        trials(study, cache, record.path / "tune" / "ray", table)


def _prepared(experiment: Experiment, cache: Path) -> Prepared:
    try:
        return prepare(experiment.data, cache)
    except OSError as error:
        reason = error.strerror or error
        raise RequestError(f"out: cannot write beside the record in {cache.parent} ({reason}); give another") from None


def _check_room(experiment: Experiment) -> None:
    if experiment.parallel.processes > 1:
        raise RequestError("parallel: a trial trains in one process; set parallel.workers and parallel.pipeline to 1")
    tune, threads, cpus = sweep_of(experiment), experiment.train.threads, os.cpu_count() or 1
    if not os.environ.get("RAY_ADDRESS") and tune.concurrent * threads > cpus:
        raise RequestError(
            f"tune.concurrent: {tune.concurrent} trials of {threads} threads need as many CPUs; there are {cpus}"
        )


def _figures(summary: dict[str, Any]) -> dict[str, float]:
    found = {"tune_best_value": summary["best_value"], "tune_default_value": summary["default_value"]}
    return {name: value for name, value in found.items() if value is not None}


def _timings(study: Study) -> dict[str, float]:
    """overhead: wall clock of a trial not spent in its own function; the first of each process holds its start."""
    overheads = [t.user_attrs["overhead_s"] for t in study.ended if "overhead_s" in t.user_attrs]
    return {"tune_overhead_per_trial_s": sum(overheads) / len(overheads)}


def _tell(record: Record, summary: dict[str, Any], seconds: float, console: Console) -> None:
    best, default = summary["best_value"], summary["default_value"]
    gain = "" if default is None else f", {100 * (best - default):+.1f} points against the file's own settings"
    line = f"\nbest: trial {summary['best_trial']}, {summary['objective']} {best:.4f}{gain}, {seconds:.0f} s in all"
    console.print(line, highlight=False, soft_wrap=True)
    console.print(f"The record is in {record.path}. Next:", highlight=False)
    console.print(f"  dsray run {record.path / 'tune' / 'best.yaml'}", highlight=False, soft_wrap=True)
