"""Where the work of a run happens. This is the plain way, one process after the other; `dsray.runtime` has Ray's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from dsray import interruption
from dsray.base import RequestError
from dsray.data import DataConfig, Prepared, prepare
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.schema import Schema
from dsray.sections import ParallelConfig
from dsray.training import Places, resume_history, train

Item = TypeVar("Item")
Result = TypeVar("Result")


class Watch(Protocol):
    """Is told how trainings go. training: "" for the model, "undefended" for its twin."""

    def begin(self, training: str, step: int) -> None:
        """A training begins at `step`, or goes back to it: lines of later steps will come again."""
        ...

    def line(self, training: str, line: dict[str, Any]) -> None:
        """A line that was added to a training's history; lines that a resumed run finds there are not handed on."""
        ...

    def end(self, training: str) -> None:
        """A training is over."""
        ...


class Placement(Protocol):
    """The places of a run: data preparation, training and mapped work."""

    name: str

    def prepare(self, config: DataConfig, cache: Path, schema: Schema | None = None) -> Prepared:
        """The prepared rows, through the cache. schema: what to read them through; learnt from them where None."""
        ...

    def check_device(self, parallel: ParallelConfig) -> None:
        """RequestError when `parallel.device` asks for what this place has not."""
        ...

    def train(self, experiment: Experiment, data: Prepared, folder: Path, watch: Watch) -> None:
        """Train the model, and its undefended twin if asked for, into `folder`; finished ones are left alone."""
        ...

    def map(self, work: Callable[..., Result], items: Sequence[Item], *shared: Any) -> list[Result]:
        """`work(item, *shared)` for each item, in order of the items."""
        ...


def trainings(experiment: Experiment, data: Prepared, folder: Path) -> list[tuple[Places, bool]]:
    """What is still to be trained in `folder`: places, and whether it is the undefended twin."""
    wanted = [(Places(folder), False)]
    if experiment.undefended_stages(data) is not None:
        wanted.append((Places(folder, "-undefended"), True))
    return [(places, twin) for places, twin in wanted if not places.trained]


def local_device(parallel: ParallelConfig) -> str:
    """Where this process trains: on the GPU that torch can use, if there is one and `parallel.device` allows it."""
    if parallel.device == "cuda" and not torch.cuda.is_available():
        raise RequestError("parallel.device: cuda needs a GPU that torch can use, and there is none here; use auto")
    return "cuda" if parallel.device != "cpu" and torch.cuda.is_available() else "cpu"


class LocalPlacement:
    """Everything in this process."""

    name = "local"

    def prepare(self, config: DataConfig, cache: Path, schema: Schema | None = None) -> Prepared:
        return prepare(config, cache, schema=schema)

    def check_device(self, parallel: ParallelConfig) -> None:
        local_device(parallel)

    def train(self, experiment: Experiment, data: Prepared, folder: Path, watch: Watch) -> None:
        for places, twin in trainings(experiment, data, folder):
            watch.begin(places.training, resume_history(places))
            worker = LocalWorker(
                data,
                experiment.augment,
                seed=experiment.seed,
                device=local_device(experiment.parallel),
                folder=folder,
                history=places.history.name,
                checkpoints=places.checkpoints.name,
                on_line=partial(watch.line, places.training),
            )
            train(experiment, worker, undefended=twin, places=places)
            watch.end(places.training)

    def map(self, work: Callable[..., Result], items: Sequence[Item], *shared: Any) -> list[Result]:
        done = []
        for item in items:
            interruption.check()
            done.append(work(item, *shared))
        return done
