"""What each process of Ray Train runs: the loop of `dsray.runner.training` on batches that Ray Data makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import Any, final

import dsray.runtime.quiet  # noqa: F401  isort: skip
import numpy as np
import ray
import ray.train
import ray.train.torch

from dsray.base import RunFailure
from dsray.base.batch import Batch
from dsray.data import Draws, to_batch
from dsray.engine import LocalWorker, TrainState
from dsray.experiment import Experiment
from dsray.record.lock import Holder, Lock
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train
from dsray.runtime.data import augmented, idle_cpus

LEAD_STEPS = 32
"""Steps at the beginning of a stage that do not wait for Ray Data, whose first block takes a second or two."""

LEAVE_S = 60.0
"""How long a training waits for the worker of a killed run, which ends at the next line that it would write."""


@final
class RayWorker:
    """A worker whose batches come from Ray Data; inside Ray Train its checkpoints are reported too.

    local: makes the first batches and writes what is written. rest: what `LocalWorker` is given.
    """

    def __init__(self, reference: ray.ObjectRef, experiment: Experiment, *, reports: bool, **rest: Any):
        self.local = LocalWorker(ray.get(reference), experiment.augment, seed=experiment.seed, **rest)
        self.rank, self.size, self.leads = self.local.rank, self.local.size, self.local.leads
        self.device, self.data, self.seed = self.local.device, self.local.data, self.local.seed
        self.run = Holder(rest["folder"]) if "folder" in rest else None
        self.reference, self.augmentation, self.reports = reference, experiment.augment, reports
        processes = experiment.parallel.processes
        self.tasks = max(1, idle_cpus(processes * experiment.train.threads) // processes)

    def batches(self, draws: Draws, first: int, last: int) -> Iterator[Batch]:
        """The first batches of a stage are made here, by the same functions, while Ray Data's tasks start."""
        lead = min(last, first + LEAD_STEPS)
        rest: Future[Iterator[dict[str, Any]]] = Future()
        for step, batch in enumerate(self.local.batches(draws, first, lead), first):
            yield batch
            if step == first and lead < last:
                where = (
                    self.reference,
                    self.augmentation,
                    draws,
                    lead,
                    last,
                    self.rank,
                    self.size,
                    self.seed,
                    self.tasks,
                )
                threading.Thread(target=_resolve, args=(rest, where), daemon=True, name="data").start()
        if lead < last:
            yield from map(self._batch, rest.result())

    def _batch(self, columns: dict[str, Any]) -> Batch:
        whole = {name: np.ascontiguousarray(values) for name, values in columns.items()}
        return to_batch(whole, self.data.schema).to(self.device)

    def report(self, metrics: dict[str, Any], state: TrainState | None = None) -> None:
        if self.leads and self.run and self.run.is_gone():
            raise RunFailure(f"the process that runs {self.run.folder} is gone; its training writes no more")
        self.local.report(metrics, state)
        if state is None or not self.reports:
            return
        checkpoint = None
        if self.leads and self.local.checkpoints:
            folder = self.local.checkpoints / f"step-{state.global_step:06d}"
            checkpoint = ray.train.Checkpoint.from_directory(str(folder))
        figures = {"step": state.global_step, "stage": metrics["stage"]}
        ray.train.report(
            figures, checkpoint=checkpoint, checkpoint_upload_mode=ray.train.CheckpointUploadMode.NO_UPLOAD
        )


def _resolve(future: Future[Iterator[dict[str, Any]]], where: tuple[Any, ...]) -> None:
    try:
        future.set_result(augmented(*where))
    except BaseException as error:
        future.set_exception(error)


def run_worker(config: dict[str, Any]) -> None:
    """What each Ray Train worker runs, given by `dsray.runtime.entry`."""
    experiment = Experiment.parse(config["experiment"])
    files = TrainingFiles(Path(config["folder"]))
    context = ray.train.get_context()
    process, pieces = context.get_world_rank(), experiment.parallel.pipeline
    leads = process == 0
    with alone(files) if leads else nullcontext():
        if leads:
            resume_history(files)
        worker = RayWorker(
            config["data"][0],
            experiment,
            reports=True,
            device=ray.train.torch.get_device(),
            rank=process // pieces,
            size=context.get_world_size() // pieces,
            leads=leads,
            folder=files.folder,
            history=files.history.name,
            checkpoints=files.checkpoints.name,
        )
        train(experiment, worker, files=files)


def alone(files: TrainingFiles) -> Lock:
    """The right to write a training, for as long as a worker that has it lives: the death of the run does not end it."""
    return Lock(files.folder, files.lock, LEAVE_S)
