"""Ray Tune: trials of a sweep in processes of their own, stopped early by successive halving."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search import Searcher

from dsray.base import RequestError, RunFailure
from dsray.runtime.gpus import uses_gpu
from dsray.runtime.session import Session
from dsray.sweep.drawing import objective_of
from dsray.sweep.study import DEFAULT, Study
from dsray.sweep.table import SweepTable

FINAL_RUNG = 100_000
"""Where a trial reports its value: beyond all rungs, so that halving never weighs it against accuracies."""
MAX_FAILURES = 1
"""Deaths of its process that a trial survives, by starting anew."""
_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # a trial finds the files that the experiment names, as a run does
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def run_trials(study: Study, cache: Path, scratch: Path, table: SweepTable) -> None:
    """Run what is left of the sweep; each trial that ends is in the study before the next one is asked for.

    cache: folder of prepared rows. scratch: an empty or absent folder for Ray Tune's own files; it is removed.
    """
    threads = study.tune.concurrent * study.experiment.train.threads
    with Session(study.experiment.parallel, threads):
        _run_trials(study, cache, scratch, table)


def _run_trials(study: Study, cache: Path, scratch: Path, table: SweepTable) -> None:
    experiment, settings = study.experiment, study.tune
    gpus = ray.cluster_resources().get("GPU", 0) if uses_gpu(experiment.parallel) else 0
    resources = {"CPU": experiment.train.threads, **({"GPU": min(1, gpus / settings.concurrent)} if gpus else {})}
    fixed = {
        "cache": str(cache.resolve()),
        "objective": objective_of(experiment),
        "device": "cuda" if gpus else "cpu",
    }
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(run_trial, fixed=fixed), resources),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, table),
            scheduler=Halving(settings.grace, settings.reduction, study.rungs()),
            num_samples=study.left(),
            max_concurrent_trials=settings.concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=scratch.name,
            storage_path=str(scratch.parent.resolve()),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    try:
        tuner.fit()
    except tune.TuneError as error:
        raise RunFailure(
            f"ray tune: {' '.join(str(error).split())}; --resume keeps the trials that have ended"
        ) from None
    shutil.rmtree(scratch, ignore_errors=True)


def run_trial(config: dict[str, Any], fixed: dict[str, str]) -> None:
    """One trial: the same training as a run's, reporting once per validation of its clean stages.

    Rungs are clean validations only: a strong attack costs accuracy at first, and must not be stopped for that.
    config: `number` and `experiment` (resolved tree).
    """
    from dsray.data import prepare
    from dsray.engine import LocalWorker
    from dsray.experiment import Experiment
    from dsray.runner.figures import validation_figures
    from dsray.runner.training import train

    began = time.monotonic()
    rungs = 0
    try:
        experiment = Experiment.parse(config["experiment"])
        data = prepare(experiment.data, Path(fixed["cache"]))
        attacked = {stage.name for stage in experiment.stages(data) if stage.perturb}

        def on_line(line: dict[str, Any]) -> None:
            nonlocal rungs
            if line["kind"] == "validation" and line["stage"] not in attacked:
                rungs += 1
                tune.report({"rung": rungs, "score": line["accuracy"]})

        worker = LocalWorker(data, experiment.augment, seed=experiment.seed, device=fixed["device"], on_line=on_line)
        model = train(experiment, worker).to("cpu")
        value = validation_figures(experiment, model, data)[fixed["objective"]]
        result: dict[str, Any] = {"score": value}
    except Exception as error:  # its process goes on to the next trial
        result = {"score": 0.0, "error": " ".join(f"{type(error).__name__}: {error}".split())}
    tune.report({"rung": FINAL_RUNG, "spent_s": time.monotonic() - began, **result})


class Halving(AsyncHyperBandScheduler):
    """Asynchronous successive halving (Li et al. 2020) that knows earlier trials and never stops the default one."""

    def __init__(self, grace: int, reduction: float, past: dict[int, dict[int, float]]):
        super().__init__(
            time_attr="rung",
            metric="score",
            mode="max",
            grace_period=grace,
            reduction_factor=reduction,
            max_t=FINAL_RUNG,
        )
        for number, rungs in past.items():
            for rung, accuracy in sorted(rungs.items()):
                trial = cast(Trial, SimpleNamespace(trial_id=f"past-{number}"))
                self._brackets[0].on_result(trial, rung, accuracy)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        decision = super().on_trial_result(tune_controller, trial, result)
        if trial.config["number"] == DEFAULT and result["rung"] < FINAL_RUNG:
            return TrialScheduler.CONTINUE
        return decision


class StudySearcher(Searcher):
    """Ray Tune's view of a `Study`."""

    def __init__(self, study: Study, table: SweepTable):
        super().__init__(metric="score", mode="max")
        self.study, self.table = study, table
        self.running: dict[str, tuple[int, float]] = {}
        self.left = study.left()

    def suggest(self, trial_id: str) -> Any:
        while self.left > 0:
            self.left -= 1
            try:
                number, experiment = self.study.ask()
            except RequestError:
                continue  # the study has noted why this draw makes no experiment
            self.running[trial_id] = (number, time.monotonic())
            self.table.started(number)
            return {"number": number, "experiment": experiment.tree()}
        return Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if result["rung"] < FINAL_RUNG:
            number = self.running[trial_id][0]
            self.study.report(number, result["rung"], result["score"])
            self.table.reached(number, result["rung"], result["score"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number, started = self.running.pop(trial_id)
        seconds = time.monotonic() - started
        if error or not result or "score" not in result:
            self.study.fail(number, f"the process of trial {number} died", seconds)
        elif "error" in result:
            self.study.fail(number, result["error"], seconds)
        elif result["rung"] < FINAL_RUNG:
            self.study.report(number, result["rung"], result["score"])
            self.study.stop(number, seconds=seconds)
        else:
            value = float(result["score"])
            self.study.tell(number, value, seconds=seconds, overhead_s=seconds - result["spent_s"])
        self.table.ended(number)

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune keeps a copy of its searcher; the study itself lives in its journal."""
        return {k: v for k, v in self.__dict__.items() if k not in ("study", "table")}

    def save(self, checkpoint_path: str) -> None:
        """The study is on disk already."""

    def restore(self, checkpoint_path: str) -> None:
        """The study is on disk already."""
