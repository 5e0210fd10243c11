"""The `tune` section: what a sweep may change, how it searches, what it maximises."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.base import Config
from dsray.spaces import AnySpace

Objective = Literal["val_accuracy", "val_robust_accuracy", "val_balanced_robustness"]


class TuneConfig(Config):
    """A sweep over dotted paths of the same file, by Optuna's TPE with successive halving on Ray Tune."""

    trials: int = Field(12, ge=1, description="trials, the file's own settings included")
    concurrent: int = Field(2, ge=1, description="trials at a time, one process of train.threads threads each")
    startup_trials: int = Field(4, ge=1, description="finished trials before the sampler models what it has seen")
    objective: Objective | None = Field(
        None,
        description="figure of the validation split to maximise; val_balanced_robustness (the mean of clean and robust "
        "accuracy) with an adversarial section, val_accuracy without, unless given; the test split chooses nothing",
    )
    reduction: float = Field(
        2.0, gt=1, description="at each rung a trial goes on only if it is among the best 1/reduction that came there"
    )
    grace: int = Field(
        2, ge=1, description="validations of clean stages before a trial may be stopped; rungs are grace x reduction^k"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of the sampler; every trial trains with the file's seed")
    space: dict[str, AnySpace] = Field(min_length=1, description="dotted path -> what may be drawn there")
