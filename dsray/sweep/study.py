"""The study: Optuna's TPE in a journal on disk, which a sweep that was killed goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FixedTrial, FrozenTrial, Trial, TrialState

from dsray.base import RequestError
from dsray.base.noise import VERSION as NOISE
from dsray.base.noise import key_of
from dsray.experiment import Experiment
from dsray.sweep.drawing import drawn, own_parameters, sweep_of

NAME = "sweep"
DEFAULT = 0
"""Number of the trial with the file's own settings."""
_FINAL = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Study:
    """Asks for trials and is told their values; trial 0 is the file's own settings.

    A trial's draws are seeded by its number. Trials that were running when a sweep was killed are asked for again,
    with their numbers and parameters; those that had ended keep what they said.
    """

    def __init__(self, folder: Path, experiment: Experiment):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        journal = folder / "study.journal"
        _drop_torn_line(journal)
        self.experiment, self.tune = experiment, sweep_of(experiment)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
        self._study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
        self._own = own_parameters(experiment)
        if not self._study.get_trials():
            self._study.set_user_attr("noise", NOISE)
            self._study.enqueue_trial({name: v for found in self._own.values() for name, v in found.items()})
        elif self.left() and self._study.user_attrs.get("noise") != NOISE:
            raise RequestError(
                f"resume: the trials in {folder} were trained with the noise of another version of dsray (0.1), and "
                "their values do not compare with new ones; finish the sweep with that version, or begin a new record"
            )
        self._running: dict[int, Trial] = {}
        self._interrupted = [t for t in self._study.get_trials() if t.state == TrialState.RUNNING]

    @property
    def ended(self) -> list[FrozenTrial]:
        """Trials that need no more work: complete, stopped early (PRUNED) or failed; by number."""
        return [t for t in self._study.get_trials() if t.state in _FINAL]

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial of the largest value, the earliest of equals."""
        complete = [t for t in self.ended if t.state == TrialState.COMPLETE]
        return max(complete, key=lambda t: (t.value, -t.number)) if complete else None

    @property
    def default_value(self) -> float | None:
        """The value of the file's own settings, once known."""
        return next((t.value for t in self.ended if t.number == DEFAULT), None)

    @property
    def errors(self) -> list[str]:
        """Reasons of the failed trials, by number."""
        return [t.user_attrs["error"] for t in self.ended if t.state == TrialState.FAIL]

    def left(self) -> int:
        """Trials still to be run."""
        return max(0, self.tune.trials - len(self.ended))

    def ask(self) -> tuple[int, Experiment]:
        """The next trial: its number and its experiment. A RequestError fails the trial and is raised."""
        # A trial that a kill interrupted is running still as far as the journal knows. It is taken up by its own id: a new
        # trial would leave a hole in the numbers, and every later draw would be another one. What it had drawn stands in
        # the journal, and drawing again gives that back.
        if self._interrupted:
            trial = Trial(self._study, self._interrupted.pop(0)._trial_id)
        else:
            trial = self._study.ask()
        self._running[trial.number] = trial
        # A sampler for each trial: one that lived on would move with every draw, and the next trial of a resumed sweep would
        # not be that of a sweep in one piece.
        self._study.sampler = optuna.samplers.TPESampler(
            seed=key_of(self.tune.seed, "trial", trial.number) % 2**32, n_startup_trials=self.tune.startup_trials
        )
        if trial.number == DEFAULT:
            # its experiment is the file as it stands; it draws so that its parameters stand in the journal, for TPE to learn
            for path in self._own:
                self.tune.space[path].draw(trial, path)
            return trial.number, self.experiment.replace(tune=None)
        try:
            return trial.number, drawn(self.experiment, trial)
        except RequestError as error:
            self.fail(trial.number, str(error), 0.0)
            raise

    def report(self, number: int, rung: int, accuracy: float) -> None:
        """Keep the accuracy of a running trial at a rung."""
        trial = self._running[number]
        if rung not in self._frozen(number).intermediate_values:
            trial.report(accuracy, rung)

    def rungs(self) -> dict[int, dict[int, float]]:
        """Number -> rung -> accuracy of the trials that have ended: what a later trial has to keep up with."""
        return {t.number: dict(t.intermediate_values) for t in self.ended if t.state != TrialState.FAIL}

    def tell(self, number: int, value: float, **about: float) -> None:
        """End a trial with its value."""
        self._note(number, about)
        self._study.tell(number, value)

    def stop(self, number: int, **about: float) -> None:
        """End a trial that was stopped early; it has accuracies at rungs and no value."""
        self._note(number, about)
        self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, error: str, seconds: float) -> None:
        """End a trial that failed. error: one line."""
        self._note(number, {"error": error, "seconds": seconds})
        self._study.tell(number, state=TrialState.FAIL)

    def experiment_of(self, trial: FrozenTrial) -> Experiment:
        """The experiment that a trial ran, without its `tune` section."""
        if trial.number == DEFAULT:
            return self.experiment.replace(tune=None)
        return drawn(self.experiment, FixedTrial(trial.params, trial.number))

    def _note(self, number: int, about: dict[str, Any]) -> None:
        trial = self._running.pop(number)
        for name, value in about.items():
            trial.set_user_attr(name, value)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]


def _drop_torn_line(journal: Path) -> None:
    """A kill in the middle of a write leaves half a line, which the next one would be glued to."""
    if journal.exists():
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with journal.open("rb+") as file:
                file.truncate(len(whole))
