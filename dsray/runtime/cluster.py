"""A cluster as the place of a run: Ray Data prepares, Ray Train trains, tasks judge."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
import torch

from dsray.base import RequestError, interruption
from dsray.base.kinds import Trust
from dsray.data import DataConfig, Draws, Prepared, Shuffled
from dsray.data.schema import Schema
from dsray.experiment import Experiment
from dsray.parallel.config import ParallelConfig
from dsray.record.lock import is_held
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.place import Watch, trainings
from dsray.runtime.data import augmented, idle_cpus, prepare
from dsray.runtime.follower import Follower
from dsray.runtime.gpus import gpus_of_cluster, uses_gpu
from dsray.runtime.quiet import train_environment
from dsray.runtime.train import train_twin, train_with_ray
from dsray.runtime.worker import LEAVE_S
from dsray.serving.config import ServeConfig

Item = TypeVar("Item")
Result = TypeVar("Result")
POLL_S = 0.05


class RayCluster:
    """Work goes to the session's cluster; this process only waits and shows progress."""

    name = "ray"

    def prepare(self, config: DataConfig, cache: Path, schema: Schema | None = None) -> Prepared:
        return prepare(config, cache, schema=schema)

    def check_device(self, parallel: ParallelConfig) -> None:
        uses_gpu(parallel)

    def train(self, experiment: Experiment, data: Prepared, folder: Path, watch: Watch) -> None:
        folder = folder.resolve()
        reference = ray.put(data)
        todo = trainings(experiment, data, folder)
        gpu = bool(todo) and uses_gpu(experiment.parallel)
        beside = not gpu or gpus_of_cluster() > experiment.parallel.processes
        if todo:
            threading.Thread(target=_first_batch, args=(reference, experiment, data), daemon=True, name="data").start()
        followers: list[Follower] = []
        twins: list[ray.ObjectRef] = []

        def follow(files: TrainingFiles) -> None:
            _await_the_last(files)
            resume_history(files)  # before a worker does: what is left of it was shown by an earlier stretch
            followers.append(Follower(files, watch))

        def poll() -> None:
            for follower in followers:
                follower.poll()
            # a twin that would take a GPU, which a restarted worker needs, waits for the end of the training
            if beside and any(follower.stepped for follower in followers):
                start_twin()

        def start_twin() -> None:
            """Not before the training's first step: two starts at once would hold each other up."""
            for files, twin in todo:
                if twin and not twins:
                    follow(files)
                    apart = train_twin.options(runtime_env=train_environment(), num_gpus=int(gpu))
                    twins.append(apart.remote(experiment, [reference], files))

        for files, twin in todo:
            if not twin:
                follow(files)
                _in_thread(partial(train_with_ray, experiment, reference, files), poll)
                poll()
                watch.end(files.training)
        start_twin()
        _wait(twins, meanwhile=poll)
        poll()
        for files, twin in todo:
            if twin:
                watch.end(files.training)

    def map(self, work: Callable[..., Result], items: Sequence[Item], *shared: Any) -> list[Result]:
        threads = torch.get_num_threads()
        references = [ray.put(value) for value in shared]
        at_once = max(1, idle_cpus(0) // threads)
        tasks: list[ray.ObjectRef] = []
        running: list[ray.ObjectRef] = []
        for item in items:
            running = _wait(running, unfinished=at_once - 1)
            tasks.append(_apply.remote(work, item, threads, *references))
            running.append(tasks[-1])
        _wait(running)
        return ray.get(tasks)

    def answer(
        self, run: Path, request: dict[str, Any], config: ServeConfig, trust: Trust
    ) -> tuple[dict[str, Any], float]:
        """Over HTTP, through Ray Serve."""
        from dsray.runtime.serve import answer_once  # takes a second to import

        return answer_once(run, request, config, trust)


def _first_batch(reference: ray.ObjectRef, experiment: Experiment, data: Prepared) -> None:
    """Bring Ray Data's processes up while those of Ray Train start."""
    rows = data.splits["train"]
    draws = Draws(experiment.seed, "warm-up", Shuffled(rows), experiment.train.batch, rows[:0], 0)
    environment = train_environment()
    with suppress(Exception):  # what fails here fails again where it is needed, and is told there
        next(augmented(reference, experiment.augment, draws, 0, 1, 0, 1, experiment.seed, runtime_env=environment))


@ray.remote(max_retries=2)
def _apply(work: Callable[..., Any], item: Any, threads: int, *shared: Any) -> Any:
    torch.set_num_threads(threads)
    return work(item, *shared)


def _wait(
    tasks: list[ray.ObjectRef], unfinished: int = 0, meanwhile: Callable[[], None] = lambda: None
) -> list[ray.ObjectRef]:
    """Wait until at most `unfinished` are left and return them; raises what a task raised.

    In short pieces, so that Ctrl-C is heard at once.
    """
    left = tasks
    while len(left) > unfinished:
        interruption.check()
        meanwhile()
        ready, left = ray.wait(left, timeout=POLL_S)
        for task in ready:
            try:
                ray.get(task)
            except ray.exceptions.RayTaskError as error:
                raise error.cause or error from None
    return left


def _in_thread(work: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Run `work` in a daemon thread, so that the main thread stays free for Ctrl-C and progress."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded, daemon=True, name="train")
    thread.start()
    while thread.is_alive():
        interruption.check()
        meanwhile()
        time.sleep(POLL_S)
    if errors:
        raise errors[0]


def _await_the_last(files: TrainingFiles) -> None:
    """The worker of a run that was killed outlives it for a moment; two must not write one training."""
    deadline = time.monotonic() + LEAVE_S
    while is_held(files.folder, files.lock):
        interruption.check()
        if time.monotonic() > deadline:
            raise RequestError(
                f"record: a worker of an earlier run still trains in {files.folder}; end it (ray stop), and try again"
            )
        time.sleep(POLL_S)
