"""`dsray tune`: a sweep from its space to best.yaml, in a record of its own."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from dsray.base import DsrayError, RequestError, RunFailure
from dsray.data import prepare
from dsray.experiment import Experiment
from dsray.report import Record
from dsray.report.html import write_report
from dsray.run import current, open_record
from dsray.tuning import Study, check_space, write_results


def sweep(experiment: Experiment, *, out: Path | None, resume: bool, console: Console, command: list[str]) -> Record:
    """Search the experiment's space and leave trials.parquet, best.yaml and summary.json in the record's `tune/`.

    A sweep that was killed goes on with `resume`: finished trials keep their numbers and values, none is run again.
    """
    started = time.monotonic()
    tune = check_space(experiment)
    if experiment.parallel.processes > 1:
        raise RequestError("parallel: a trial trains in one process; set parallel.workers and parallel.pipeline to 1")
    record = open_record(experiment, out, resume, command, [])
    with current(record):
        study = Study(record.path / "tune", experiment, tune)
        if study.finished:
            console.print(f"{len(study.finished)} of {tune.trials} trials are finished already")
        try:
            _search(study, record, console)
            if study.best() is None:
                reasons = study.errors() or ["every trial was stopped early"]
                raise RunFailure(f"tune: no trial succeeded; the first said: {reasons[0]}")
            summary = write_results(record, study)
        except DsrayError as error:
            record.fail(error)
            raise
        record.update_metrics({"best_value": summary["best_value"], "default_value": summary["default_value"]})
        record.update_timings({"seconds_total": time.monotonic() - started})
        record.finish()
        write_report(record)
    gain = 100 * (summary["best_value"] - summary["default_value"])
    console.print(
        f"\nbest: trial {summary['best_trial']}, {tune.objective} {summary['best_value']:.4f}, {gain:+.1f} points against "
        f"the default settings, {time.monotonic() - started:.0f} s in all"
    )
    console.print(f"  dsray run {record.path / 'tune' / 'best.yaml'}", soft_wrap=True)
    return record


def _search(study: Study, record: Record, console: Console) -> None:
    if study.left() == 0:
        return
    cache = record.path.parent / ".cache"
    prepare(study.experiment.data, cache)
    from dsray.runtime.session import Session
    from dsray.runtime.tune import run_trials

    def on_trial(number: int, value: float | None, pruned: bool, seconds: float) -> None:
        best = study.best()
        ended = "failed" if value is None else f"{value:.4f}" + (" stopped early" if pruned else "")
        so_far = f"best {best.value:.4f} (trial {best.number})" if best else ""
        done = len(study.finished)
        console.print(f"trial {number:>3}  {ended:<21} {so_far:<24} {seconds:5.1f} s  {done}/{study.tune.trials}")

    with Session(study.experiment.parallel, study.tune.concurrent):
        run_trials(study, cache, record.path / "tune", on_trial)
