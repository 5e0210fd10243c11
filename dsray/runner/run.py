"""A run: its steps in order, each done at the given place, each kept in the record when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from dsray.base import RequestError, interruption
from dsray.base.routed import Routed
from dsray.base.sealed import made_from
from dsray.data import Prepared
from dsray.data.counts import lines
from dsray.data.schema import Schema
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.record import Record
from dsray.record.manifest import make_manifest
from dsray.report.html import write_report
from dsray.runner.attack import attack_step
from dsray.runner.checks import check_experiment
from dsray.runner.compress import compress_step
from dsray.runner.evaluate import evaluate_step, example
from dsray.runner.original import SCHEMA, rows_of
from dsray.runner.place import Place, trainings
from dsray.runner.stopwatch import Stopwatch
from dsray.runner.stretches import add_stretch, refuse_another, stretch
from dsray.runner.watch import RunWatch
from dsray.runner.writer import running
from dsray.terminal.closing import closing_table, next_commands, step_note
from dsray.terminal.progress import Progress

RUNS = Path("runs")


def run_at(
    place: AbstractContextManager[Place],
    experiment: Experiment,
    *,
    out: Path | str | None,
    resume: bool,
    console: Console,
    command: list[str],
    overrides: list[str],
) -> Record:
    """Do everything that the experiment names and return its record. place: entered once the record is there."""
    started = time.monotonic()
    record = open_record(experiment, out, resume, command, overrides)
    begun = None if resume else lambda: bool(record.status["steps"])
    with running(record, command, console, begun=begun):
        with Progress(console) as progress, place as here:
            stopwatch = Stopwatch(record, started)
            _Run(record, experiment, here, progress, stopwatch, resumed=resume).steps()
        stopwatch.keep()
    with made_from(record.path, "the closing table"):
        console.print(closing_table(record))
        console.print(f"\nThe record is in {record.path}. Next:", highlight=False)
        for line in next_commands(record):
            console.print(f"  {line}", highlight=False, soft_wrap=True)
    return record


class _Run:
    """The steps, in order; each is skipped when the record says that it is done."""

    def __init__(
        self,
        record: Record,
        experiment: Experiment,
        place: Place,
        progress: Progress,
        stopwatch: Stopwatch,
        *,
        resumed: bool,
    ):
        self.record, self.experiment, self.place, self.progress = record, experiment, place, progress
        self.stopwatch = stopwatch
        if not resumed:
            stopwatch.count()
        torch.set_num_threads(experiment.train.threads)

    def steps(self) -> None:
        with self._phase("data"):
            data = rows_of(self.record, self.experiment.data, self.place)
            check_experiment(self.experiment, data)
        for line in (*lines(data.counts, {split: len(rows) for split, rows in data.splits.items()}), *data.notes):
            self.progress.say(line)
        if trainings(self.experiment, data, self.record.path):
            self.place.check_device(self.experiment.parallel)
            self.record.set_step("train", "running")  # also when it was done: a checkpoint gives the model back
        self._step("train", lambda: self._train(data))
        model, twin, data = models_of(self.record, self.experiment, data)
        self._step("evaluate", lambda: evaluate_step(self.record, self.experiment, data, model, twin))
        if self.experiment.adversarial:
            self._step("attack", lambda: self._attack(data, model, twin))
        if self.experiment.compress:
            self._step("compress", lambda: self._compress(data, model))
            self._step("answer", lambda: self._answer(data))
        with self._phase("report"):
            write_report(self.record)

    def _step(self, name: str, work: Callable[[], Any]) -> None:
        if self.record.status["steps"].get(name) == "done":
            return
        interruption.check()
        if not self.stopwatch.counts:
            self.stopwatch.count()
            add_stretch(self.record, self.experiment)
        self.record.set_step(name, "running")
        try:
            with self._phase(name):
                work()
        except BaseException as error:
            with suppress(OSError):  # of a disk that takes not even this; the error that led here is the one to tell
                self.record.set_step(name, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        self.record.set_step(name, "done")

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.progress.phase(name)
        with self.stopwatch.phase(name):
            yield
            seconds = self.stopwatch.seconds
        self.progress.done(name, seconds, step_note(self.record, name))

    def _train(self, data: Prepared) -> None:
        total = sum(stage.steps for stage in self.experiment.stages(data))
        self.progress.phase("train", total)
        with RunWatch(self.record, self.progress, self.stopwatch) as watch:
            self.place.train(self.experiment, data, self.record.path, watch)

    def _attack(self, data: Prepared, model: Routed, twin: Routed | None) -> None:
        assert self.experiment.adversarial is not None
        models = {"": model} | ({"_undefended": twin} if twin is not None else {})
        judge = self.experiment.adversarial.judge
        attack_step(self.record, data, judge, self.experiment.seed, models, self.place)

    def _compress(self, data: Prepared, model: Routed) -> None:
        assert self.experiment.compress is not None
        compress_step(self.record, self.experiment, data, model, self.experiment.compress, self.place)

    def _answer(self, data: Prepared) -> None:
        """One request to the artefact, as this place serves it."""
        request = example(data)
        trust = self.experiment.data.packages
        answer, seconds = self.place.answer(self.record.path, request, self.experiment.serve, trust)
        if seconds is not None:
            self.record.update_timings({"seconds_serve_first_answer": seconds})
        self.record.write_json("answer.json", {"request": request, "answer": answer})


def models_of(record: Record, experiment: Experiment, data: Prepared) -> tuple[Routed, Routed | None, Prepared]:
    """The trained model of a record, its undefended twin, if it has one, and the rows as the model was calibrated on them.

    data: the rows of the record, which both must read as they were trained to.
    """

    def model(folder: Path) -> tuple[Routed, Schema]:
        found, _, schema = load_model(folder, expected=experiment.model, trust=experiment.data.packages)
        if schema.uncalibrated() != data.schema:
            raise RequestError(
                f"model: {folder} was trained on rows of another schema than {record.path / SCHEMA} says; restore both"
            )
        return found, schema

    twin = record.path / "model-undefended"
    found, schema = model(record.path / "model")
    return found, model(twin)[0] if twin.exists() else None, replace(data, schema=schema)


def open_record(
    experiment: Experiment, out: Path | str | None, resume: bool, command: list[str], overrides: list[str]
) -> Record:
    """The record of a new run, or the one to resume: by the same experiment, on any processes."""
    if resume:
        record = Record.open(Path(out) if out else RUNS / "latest")
        refuse_another(record, experiment)
        return record
    text, words = experiment.to_yaml(), command or [Path(sys.argv[0]).name, *sys.argv[1:]]
    manifest = make_manifest(experiment.tree(), words, overrides, {}) | {"stretches": [stretch(experiment)]}
    if out is not None:
        return Record.create_at(Path(out), text, manifest)
    return Record.create(RUNS, experiment.name, text, manifest)
