"""Where the work of a run happens. This is the plain way, one process after the other; `dsray.runtime` has Ray's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from dsray.base import RequestError, interruption
from dsray.base.kinds import Trust
from dsray.data import DataConfig, Prepared, prepare
from dsray.data.schema import Schema
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.parallel.config import ParallelConfig
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train
from dsray.serving.config import ServeConfig

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


class Place(Protocol):
    """What a run leaves to the place where it happens: data preparation, training, mapped work, the first answer."""

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

    def answer(
        self, run: Path, request: dict[str, Any], config: ServeConfig, trust: Trust
    ) -> tuple[dict[str, Any], float | None]:
        """The artefact of a run answers one request; and the seconds until it did where a server had to start for it.

        trust: whose kinds of input and target its schema may name.
        """
        ...


def trainings(experiment: Experiment, data: Prepared, folder: Path) -> list[tuple[TrainingFiles, bool]]:
    """What is still to be trained in `folder`: files, and whether it is the undefended twin."""
    wanted = [(TrainingFiles(folder), False)]
    if experiment.undefended_stages(data) is not None:
        wanted.append((TrainingFiles(folder, "-undefended"), True))
    return [(files, twin) for files, twin in wanted if not files.trained]


def local_device(parallel: ParallelConfig) -> str:
    """Where this process trains: on the GPU that torch can use, if there is one and `parallel.device` allows it."""
    if parallel.device == "cuda" and not torch.cuda.is_available():
        raise RequestError("parallel.device: cuda needs a GPU that torch can use, and there is none here; use auto")
    return "cuda" if parallel.device != "cpu" and torch.cuda.is_available() else "cpu"


class ThisProcess:
    """Everything in this process."""

    name = "local"

    def prepare(self, config: DataConfig, cache: Path, schema: Schema | None = None) -> Prepared:
        return prepare(config, cache, schema=schema)

    def check_device(self, parallel: ParallelConfig) -> None:
        local_device(parallel)

    def train(self, experiment: Experiment, data: Prepared, folder: Path, watch: Watch) -> None:
        for files, twin in trainings(experiment, data, folder):
            watch.begin(files.training, resume_history(files))
            worker = LocalWorker(
                data,
                experiment.augment,
                seed=experiment.seed,
                device=local_device(experiment.parallel),
                folder=folder,
                history=files.history.name,
                checkpoints=files.checkpoints.name,
                on_line=partial(watch.line, files.training),
            )
            train(experiment, worker, undefended=twin, files=files)
            watch.end(files.training)

    def map(self, work: Callable[..., Result], items: Sequence[Item], *shared: Any) -> list[Result]:
        done = []
        for item in items:
            interruption.check()
            done.append(work(item, *shared))
        return done

    def answer(
        self, run: Path, request: dict[str, Any], config: ServeConfig, trust: Trust
    ) -> tuple[dict[str, Any], None]:
        from dsray.compress import Artefact
        from dsray.serving import Predictor

        return Predictor(Artefact.load(run / "compressed", trust)).predict([request])[0], None
