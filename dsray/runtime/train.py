"""Ray Train: the loop of `dsray.runner.training` on N workers that survive the death of one."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import dsray.runtime.quiet  # noqa: F401  isort: skip
import numpy as np
import ray
import ray.train
import torch
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dsray.base import RequestError, RunFailure
from dsray.base.batch import Batch
from dsray.base.disk import refusal
from dsray.data import Draws, to_batch
from dsray.engine import LocalWorker, TrainState
from dsray.experiment import Experiment
from dsray.parallel.config import ParallelConfig
from dsray.record.lock import Holder, Lock
from dsray.runner.training import TrainingFiles, resume_history, train
from dsray.runtime.data import augmented, idle_cpus
from dsray.runtime.entry import train_worker

LEAD_STEPS = 32
"""Steps at the beginning of a stage that do not wait for Ray Data, whose first block takes a second or two."""

LEAVE_S = 60.0
"""How long a training waits for the worker of a killed run, which ends at the next line that it would write."""


class RayWorker(LocalWorker):
    """A worker whose batches come from Ray Data; inside Ray Train its checkpoints are reported too."""

    def __init__(self, reference: ray.ObjectRef, experiment: Experiment, *, reports: bool, **rest: Any):
        super().__init__(ray.get(reference), experiment.augment, seed=experiment.seed, **rest)
        self.run = Holder(rest["folder"]) if "folder" in rest else None
        self.reference, self.augmentation, self.reports = reference, experiment.augment, reports
        processes = experiment.parallel.processes
        self.tasks = max(1, idle_cpus(processes * experiment.train.threads) // processes)

    def batches(self, draws: Draws, first: int, last: int) -> Iterator[Batch]:
        """The first batches of a stage are made here, by the same functions, while Ray Data's tasks start."""
        lead = min(last, first + LEAD_STEPS)
        rest: Future[Iterator[dict[str, Any]]] = Future()
        for step, batch in enumerate(super().batches(draws, first, lead), first):
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
        super().report(metrics, state)
        if state is None or not self.reports:
            return
        checkpoint = None
        if self.leads and self.checkpoints:
            folder = self.checkpoints / f"step-{state.global_step:06d}"
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


class _Trainer(TorchTrainer):
    """Without two processes that a training of ours has no work for, each a second of start-up on a small machine.

    One would feed data sets that Ray Train is given (rows come through `RayWorker`); the other frees the CPUs of a
    driver that died in a cluster that lives on, which a private one does not.
    """

    def _create_default_callbacks(self) -> list[Any]:
        idle = {"DatasetsCallback"} | (set() if os.environ.get("RAY_ADDRESS") else {"PlacementGroupCleanerCallback"})
        return [c for c in super()._create_default_callbacks() if type(c).__name__ not in idle]  # type: ignore[misc]


def train_with_ray(experiment: Experiment, data: ray.ObjectRef, files: TrainingFiles) -> None:
    """Train on the processes that `parallel` asks Ray Train for; the model is in `files` afterwards."""
    parallel = experiment.parallel
    gpu = uses_gpu(parallel)
    logging.getLogger("ray.train").setLevel(logging.CRITICAL)
    (files.checkpoints / "checkpoint_manager_snapshot.json").unlink(missing_ok=True)
    trainer = _Trainer(
        train_worker,
        train_loop_config={"experiment": experiment.tree(), "data": [data], "folder": str(files.folder)},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=parallel.processes,
            use_gpu=gpu,
            resources_per_worker={"CPU": experiment.train.threads, **({"GPU": 1} if gpu else {})},
        ),
        run_config=ray.train.RunConfig(
            name=files.checkpoints.name,
            storage_path=str(files.folder.resolve()),
            failure_config=ray.train.FailureConfig(max_failures=parallel.max_failures),
        ),
    )
    with _own_signals():
        try:
            trainer.fit()
        except ray.train.TrainingFailedError as error:
            raise _cause(error) from None


@ray.remote(max_retries=2)
def train_twin(experiment: Experiment, data: list[ray.ObjectRef], files: TrainingFiles) -> None:
    """The undefended twin as one task beside the training; it resumes from its own checkpoints."""
    with alone(files):
        resume_history(files)
        worker = RayWorker(
            data[0],
            experiment,
            reports=False,
            device="cuda" if ray.get_gpu_ids() else "cpu",
            folder=files.folder,
            history=files.history.name,
            checkpoints=files.checkpoints.name,
        )
        train(experiment, worker, undefended=True, files=files)


def uses_gpu(parallel: ParallelConfig) -> bool:
    """Whether each process that trains gets a GPU: with `auto` if there are enough that torch can use."""
    if parallel.device == "cpu":
        return False
    gpus, needed = gpus_of_cluster(), parallel.processes
    if parallel.device == "cuda" and gpus < needed:
        wanted = "a GPU" if needed == 1 else f"{needed} GPUs"
        raise RequestError(
            f"parallel.device: cuda needs {wanted} that torch can use; the cluster has {gpus:g}; use auto"
        )
    return gpus >= needed


def gpus_of_cluster() -> float:
    """GPUs of the cluster; 0 if the torch that is installed there cannot use them."""
    nodes = tuple(node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU"))
    return float(ray.cluster_resources()["GPU"]) if nodes and _torch_uses_them(nodes) else 0.0


@cache
def _torch_uses_them(nodes: tuple[str, ...]) -> bool:
    """Ask where the GPUs are, without waiting for one to be free; in a private cluster that is here."""
    if not os.environ.get("RAY_ADDRESS") and len(ray.nodes()) == 1:
        return torch.cuda.is_available()
    there = [_built_for_gpus.options(scheduling_strategy=NodeAffinitySchedulingStrategy(n, soft=False)) for n in nodes]
    return all(ray.get([task.remote() for task in there]))


@ray.remote(num_cpus=0)
def _built_for_gpus() -> bool:
    from torch.backends import cuda  # a module that cannot be pickled, as a name outside of this function would be

    return cuda.is_built()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray Train leaves its SIGINT handler behind; put ours back."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


def _cause(error: BaseException) -> RequestError | RunFailure | OSError:
    """Our own error or a disk's out of Ray's wrapping, or a failure with the last line of the worker's trace."""
    failures = getattr(error, "worker_failures", {}) or {}
    for failure in failures.values():
        cause = getattr(failure, "cause", None) or failure
        for found in (failure, cause, failure.__cause__):
            if isinstance(found, RequestError | RunFailure):
                return found
    for failed in (*failures.values(), error):
        if (refused := refusal(getattr(failed, "cause", None) or failed)) is not None:
            return refused
    text = str(next(iter(failures.values()), error)).strip().splitlines()
    return RunFailure(
        f"training failed: {text[-1] if text else type(error).__name__}; --resume goes on from the last checkpoint"
    )
