"""The study: Optuna's TPE in a journal on disk, which a sweep that was killed goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from dsray.experiment import Experiment
from dsray.noise import key_of
from dsray.sections.tune import TuneConfig
from dsray.tuning.space import apply_draw

NAME = "sweep"


class Study:
    """Asks for trials and is told their values; trial 0 is the file's own settings.

    The sampler is seeded by the trial's number, so that a resumed sweep draws what an undisturbed one would have drawn
    from the same past. Trials that were running when a sweep was killed are marked as failed and asked for again.
    """

    def __init__(self, folder: Path, experiment: Experiment, tune: TuneConfig):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(folder / "study.journal"))
        storage = optuna.storages.JournalStorage(backend)
        self.experiment, self.tune, self.seed = experiment, tune, experiment.seed
        self.study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)

    @property
    def finished(self) -> list[FrozenTrial]:
        """Trials with a value, pruned ones included, by number."""
        return [t for t in self.study.get_trials() if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]

    def left(self) -> int:
        """Trials still to be finished."""
        return max(0, self.tune.trials - len(self.finished))

    def ask(self) -> tuple[int, Experiment, dict[str, Any]]:
        """The next trial: its number, its experiment, its drawn parameters ({} for the default settings)."""
        number = len(self.study.get_trials())
        self.study.sampler = optuna.samplers.TPESampler(
            seed=key_of(self.seed, "trial", number) % 2**32, n_startup_trials=self.tune.startup_trials
        )
        default = not any(t.user_attrs.get("default") for t in self.finished)
        trial = self.study.ask()
        if default and not any(t.user_attrs.get("default") for t in self._running(trial.number)):
            trial.set_user_attr("default", True)
            return trial.number, self.experiment, {}
        experiment = apply_draw(self.experiment, trial)
        return trial.number, experiment, dict(trial.params)

    def _running(self, but: int) -> list[FrozenTrial]:
        return [t for t in self.study.get_trials(states=(TrialState.RUNNING,)) if t.number != but]

    def tell(self, number: int, value: float, *, pruned: bool, seconds: float) -> None:
        """Keep the value of a finished trial; a pruned one keeps its last value."""
        trial = optuna.trial.Trial(
            self.study, self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        )
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("value", value)
        if pruned:
            trial.report(value, 0)
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, value)

    def fail(self, number: int, reason: str) -> None:
        """Mark a trial as failed."""
        self.study.tell(number, state=TrialState.FAIL)
        self.study.set_user_attr(f"error/{number}", reason)

    def errors(self) -> list[str]:
        """Reasons of failed trials, by number."""
        found = self.study.user_attrs
        return [found[key] for key in sorted(found) if key.startswith("error/")]

    def best(self) -> FrozenTrial | None:
        """The complete trial of the largest value, the earliest of equals."""
        complete = [t for t in self.finished if t.state == TrialState.COMPLETE]
        return max(complete, key=lambda t: (t.value, -t.number)) if complete else None

    def experiment_of(self, trial: FrozenTrial) -> Experiment:
        """The experiment that a finished trial ran, without its `tune` section."""
        if trial.user_attrs.get("default"):
            return self.experiment.replace(tune=None)
        fixed = optuna.trial.FixedTrial(trial.params)
        return apply_draw(self.experiment, fixed).replace(tune=None)
