"""The `tune` section: what a sweep may change, how it searches, what it maximises."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dsray.base import Config, Plugin, one_of


class SpaceConfig(Plugin):
    """Base of what a sweep may draw at one dotted path."""

    def extremes(self) -> list[Any]:
        """Values at the edges of the range: if these are valid at the path, so is everything between."""
        raise NotImplementedError

    def draw(self, trial: Any, name: str) -> Any:
        """The value of one trial. trial: an Optuna trial; name: the dotted path."""
        raise NotImplementedError


class FloatSpace(SpaceConfig):
    """A number between two bounds."""

    kind: Literal["float"] = "float"
    low: float = Field(description="lower bound")
    high: float = Field(description="upper bound")
    log: bool = Field(False, description="draw the logarithm evenly")

    @model_validator(mode="after")
    def _ordered(self) -> FloatSpace:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}, and above 0 with log")
        return self

    def extremes(self) -> list[Any]:
        return [self.low, self.high]

    def draw(self, trial: Any, name: str) -> Any:
        return trial.suggest_float(name, self.low, self.high, log=self.log)


class IntSpace(SpaceConfig):
    """A whole number between two bounds, both included."""

    kind: Literal["int"] = "int"
    low: int = Field(description="lower bound")
    high: int = Field(description="upper bound")
    log: bool = Field(False, description="draw the logarithm evenly")

    @model_validator(mode="after")
    def _ordered(self) -> IntSpace:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"low {self.low} must be below high {self.high}, and above 0 with log")
        return self

    def extremes(self) -> list[Any]:
        return [self.low, self.high]

    def draw(self, trial: Any, name: str) -> Any:
        return trial.suggest_int(name, self.low, self.high, log=self.log)


class ChoiceSpace(SpaceConfig):
    """One of several values; a value may be a whole node with a kind."""

    kind: Literal["choice"] = "choice"
    options: tuple[Any, ...] = Field(min_length=2, description="what can be chosen")

    def extremes(self) -> list[Any]:
        return list(self.options)

    def draw(self, trial: Any, name: str) -> Any:
        return self.options[trial.suggest_categorical(name, list(range(len(self.options))))]


class EpsilonScheduleSpace(SpaceConfig):
    """The epsilon of an adversarial stage over its steps: a delay at 0, a ramp, then a hold."""

    kind: Literal["epsilon_schedule"] = "epsilon_schedule"
    end_low: float = Field(0.05, gt=0, le=1, description="smallest final epsilon, in input-range units")
    end_high: float = Field(0.15, gt=0, le=1, description="largest final epsilon, in input-range units")
    ramp_low: float = Field(0.1, gt=0, lt=1, description="shortest ramp, as a share of the stage")
    ramp_high: float = Field(0.9, gt=0, lt=1, description="longest ramp, as a share of the stage")

    @model_validator(mode="after")
    def _ordered(self) -> EpsilonScheduleSpace:
        if not (self.end_low < self.end_high and self.ramp_low < self.ramp_high):
            raise ValueError("end_low must be below end_high, and ramp_low below ramp_high")
        return self

    def extremes(self) -> list[Any]:
        return [
            self._node(e, r, s)
            for e in (self.end_low, self.end_high)
            for r in (self.ramp_low, self.ramp_high)
            for s in (0.0, 1.0)
        ]

    def draw(self, trial: Any, name: str) -> Any:
        return self._node(
            trial.suggest_float(f"{name}.end", self.end_low, self.end_high),
            trial.suggest_float(f"{name}.ramp", self.ramp_low, self.ramp_high),
            trial.suggest_float(f"{name}.start", 0.0, 1.0),
        )

    @staticmethod
    def _node(end: float, ramp: float, start: float) -> dict[str, Any]:
        """start: epsilon at the first step as a share of the last."""
        return {"kind": "linear", "start": start * end, "end": end, "share": ramp}


class LayerRatesSpace(SpaceConfig):
    """A factor on the learning rate of each group of parameters, for `train.rates.layers`."""

    kind: Literal["layer_learning_rates"] = "layer_learning_rates"
    groups: tuple[str, ...] = Field(
        min_length=1, description="patterns of parameter names, each with a factor of its own"
    )
    low: float = Field(0.25, gt=0, description="smallest factor")
    high: float = Field(4.0, le=100, description="largest factor")

    @model_validator(mode="after")
    def _ordered(self) -> LayerRatesSpace:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        return self

    def extremes(self) -> list[Any]:
        return [[{"pattern": g, "scale": s} for g in self.groups] for s in (self.low, self.high)]

    def draw(self, trial: Any, name: str) -> Any:
        return [
            {"pattern": group, "scale": trial.suggest_float(f"{name}.{group}", self.low, self.high, log=True)}
            for group in self.groups
        ]


AnySpace = Annotated[SpaceConfig, one_of(FloatSpace, IntSpace, ChoiceSpace, EpsilonScheduleSpace, LayerRatesSpace)]


class TuneConfig(Config):
    """A sweep over dotted paths of the same file."""

    trials: int = Field(12, ge=1, description="trials, the default settings included")
    concurrent: int = Field(2, ge=1, description="trials at a time, one process each")
    startup_trials: int = Field(4, ge=1, description="random trials before the sampler models what it has seen")
    objective: Literal["val_accuracy", "val_robust_accuracy", "val_balanced_robustness"] = Field(
        "val_accuracy", description="figure of the validation split to maximise; the test split chooses nothing"
    )
    reduction: float = Field(2.0, gt=1, description="successive halving keeps one trial of so many at each rung")
    grace: int = Field(2, ge=1, description="validations before a trial may be stopped")
    space: dict[str, AnySpace] = Field(min_length=1, description="dotted path -> what may be drawn there")
