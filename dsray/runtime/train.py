"""Ray Train: the loop of `dsray.runner.training` on N workers that survive the death of one."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from dsray.base import RequestError, RunFailure
from dsray.base.disk import refusal
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train
from dsray.runtime.entry import train_worker
from dsray.runtime.gpus import uses_gpu
from dsray.runtime.worker import RayWorker, alone


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
