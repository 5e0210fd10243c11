"""Ray Tune: trials of a sweep in processes of their own, stopped early by successive halving."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dsray.runtime.quiet  # noqa: F401  isort: skip
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler
from ray.tune.search import Searcher

from dsray.tuning import Study

FINAL_RUNG = 100_000
OnTrial = Callable[[int, float | None, bool, float], None]
"""(number, value or None when it failed, stopped early, seconds)."""


def run_trials(study: Study, cache: Path, scratch: Path, on_trial: OnTrial) -> None:
    """Run what is left of the sweep; each finished trial is in the study before the next one is asked for."""
    searcher = StudySearcher(study, on_trial)
    settings = {"cache": str(cache.resolve()), "objective": study.tune.objective}
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(run_trial, settings=settings), {"CPU": 1}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=AsyncHyperBandScheduler(
                time_attr="rung",
                metric="score",
                mode="max",
                grace_period=study.tune.grace,
                reduction_factor=study.tune.reduction,
                max_t=FINAL_RUNG,
            ),
            num_samples=study.left(),
            max_concurrent_trials=study.tune.concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="ray", storage_path=str(scratch.resolve()), verbose=0),
    )
    shutil.rmtree(scratch / "ray", ignore_errors=True)
    tuner.fit()
    shutil.rmtree(scratch / "ray", ignore_errors=True)


def run_trial(config: dict[str, Any], settings: dict[str, str]) -> None:
    """One trial: the same training as a run's, reporting once per validation of its clean stages.

    Rungs are clean validations only: a strong attack costs accuracy at first, and must not be stopped for that.
    """
    from dsray.data import prepare
    from dsray.engine import LocalWorker
    from dsray.experiment import Experiment
    from dsray.judge import validation_figures
    from dsray.training import train

    experiment = Experiment.parse(config["experiment"])
    data = prepare(experiment.data, Path(settings["cache"]))
    attacked = {stage.name for stage in experiment.stages(data) if stage.perturb}
    rungs = 0

    def on_line(line: dict[str, Any]) -> None:
        nonlocal rungs
        if line["kind"] == "validation" and line["stage"] not in attacked:
            rungs += 1
            tune.report({"rung": rungs, "score": line["accuracy"], "final": False})

    model = train(experiment, LocalWorker(data, experiment.augment, seed=experiment.seed, on_line=on_line))
    figures = validation_figures(experiment, model, data)
    tune.report({"rung": FINAL_RUNG, "score": figures[settings["objective"]], "final": True})


class StudySearcher(Searcher):
    """Ray Tune's view of a `Study`."""

    def __init__(self, study: Study, on_trial: OnTrial):
        super().__init__(metric="score", mode="max")
        self.study, self.on_trial = study, on_trial
        self.running: dict[str, tuple[int, float]] = {}
        self.asked = 0
        self.most = study.left()

    def suggest(self, trial_id: str) -> Any:
        if self.asked >= self.most:
            return Searcher.FINISHED
        number, experiment, _ = self.study.ask()
        self.asked += 1
        self.running[trial_id] = (number, time.monotonic())
        return {"number": number, "experiment": experiment.replace(tune=None).tree()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number, started = self.running.pop(trial_id)
        seconds = time.monotonic() - started
        if error or not result or "score" not in result:
            self.study.fail(number, f"trial {number} ended with an error in its process")
            self.on_trial(number, None, False, seconds)
            return
        pruned = not result["final"]
        self.study.tell(number, float(result["score"]), pruned=pruned, seconds=seconds)
        self.on_trial(number, float(result["score"]), pruned, seconds)

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune keeps a copy of its searcher; the study itself lives in its journal."""
        return {k: v for k, v in self.__dict__.items() if k not in ("study", "on_trial")}

    def save(self, checkpoint_path: str) -> None:
        """The study is on disk already."""

    def restore(self, checkpoint_path: str) -> None:
        """The study is on disk already."""
