"""Ray's places of a run: Ray Data prepares, Ray Train trains, tasks judge."""

from __future__ import annotations

import os
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

from dsray import interruption
from dsray.data import DataConfig, Plan, Prepared
from dsray.experiment import Experiment
from dsray.history import LineReader
from dsray.placement import OnLine, trainings
from dsray.runtime.data import augmented, idle_cpus, prepare
from dsray.runtime.quiet import train_environment
from dsray.runtime.train import gpus_of_cluster, train_twin, train_with_ray, uses_gpu
from dsray.schema import Schema
from dsray.sections import ParallelConfig

Item = TypeVar("Item")
Result = TypeVar("Result")
POLL_S = 0.05


class RayPlacement:
    """Work goes to the session's cluster; this process only waits and shows progress."""

    name = "ray"

    def prepare(self, config: DataConfig, cache: Path, schema: Schema | None = None) -> Prepared:
        return prepare(config, cache, schema=schema)

    def check_device(self, parallel: ParallelConfig) -> None:
        uses_gpu(parallel)

    def train(self, experiment: Experiment, data: Prepared, folder: Path, on_line: OnLine) -> None:
        folder = folder.resolve()
        reference = ray.put(data)
        todo = trainings(experiment, data, folder)
        gpu = bool(todo) and uses_gpu(experiment.parallel)
        beside = not gpu or gpus_of_cluster() > experiment.parallel.processes
        if todo:
            threading.Thread(target=_first_batch, args=(reference, experiment, data), daemon=True, name="data").start()
        twins: list[ray.ObjectRef] = []

        def start_twin() -> None:
            """Not before the training's first step: two starts at once would hold each other up."""
            if not twins:
                apart = train_twin.options(runtime_env=train_environment(), num_gpus=int(gpu))
                twins.extend(apart.remote(experiment, [reference], places) for places, twin in todo if twin)

        def seen(line: dict[str, Any]) -> None:
            if line["kind"] == "step" and beside:  # where it would take a GPU that a restarted worker needs, it waits
                start_twin()
            on_line(line)

        for places, twin in todo:
            if not twin:
                follower = Follower(places.history, seen)
                _in_thread(partial(train_with_ray, experiment, reference, places), follower.poll)
                follower.poll()
        start_twin()
        _wait(twins)

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


def _first_batch(reference: ray.ObjectRef, experiment: Experiment, data: Prepared) -> None:
    """Bring Ray Data's processes up while those of Ray Train start."""
    plan = Plan(experiment.seed, "warm-up", data.splits["train"], experiment.train.batch, data.splits["train"][:0], 0)
    environment = train_environment()
    with suppress(Exception):  # what fails here fails again where it is needed, and is told there
        next(augmented(reference, experiment.augment, plan, 0, 1, 0, 1, experiment.seed, runtime_env=environment))


@ray.remote(max_retries=2)
def _apply(work: Callable[..., Any], item: Any, threads: int, *shared: Any) -> Any:
    torch.set_num_threads(threads)
    return work(item, *shared)


def _wait(tasks: list[ray.ObjectRef], unfinished: int = 0) -> list[ray.ObjectRef]:
    """Wait until at most `unfinished` are left and return them; raises what a task raised.

    In short pieces, so that Ctrl-C is heard at once.
    """
    left = tasks
    while len(left) > unfinished:
        interruption.check()
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


class Follower:
    """Hands on each sound line that is appended to a history file, also when a resumed worker cuts it."""

    def __init__(self, path: Path, on_line: OnLine):
        self.path, self.on_line = path, on_line
        self.inode, self.position = 0, 0
        self.reader = LineReader()

    def poll(self) -> None:
        """Hand on what has come since the last call."""
        try:
            with self.path.open("rb") as file:
                opened = os.fstat(file.fileno())  # not of the path, which may name a newer file by now
                if opened.st_ino != self.inode or opened.st_size < self.position:
                    self.inode, self.position = opened.st_ino, 0
                    self.reader = LineReader()
                file.seek(self.position)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        if newline:
            self.position += len(whole) + 1
            for line in self.reader.lines(whole.split(b"\n")):
                self.on_line(line)
