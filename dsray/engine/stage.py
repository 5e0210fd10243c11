"""Stage: what is true for the next N steps. An experiment compiles to a flat list of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dsray.attacks import AnyAttack, AnyThreat
from dsray.base import Config
from dsray.base.schedules import AnySchedule
from dsray.data.samplers import AnySampler, ShuffledConfig
from dsray.engine.actions import AnyAction
from dsray.engine.policies import AnyPolicy
from dsray.engine.rows import Replay, RowFilter
from dsray.engine.terms import AnyTerm
from dsray.engine.views import ADVERSARIAL, AVERAGED
from dsray.optim import AnyOptimizer, Pattern, Rates


class Perturb(Config):
    """The attack that every batch of a stage is put through, on the device, before the forward pass."""

    attack: AnyAttack
    threat: AnyThreat
    epsilon: AnySchedule = Field(description="radius over the stage, in the units of the threat")
    share: float = Field(1.0, gt=0, le=1, description="share of the rows of each batch that are perturbed")
    climbs: Literal["cross_entropy", "clean_divergence"] = Field(
        "cross_entropy", description="what the attack maximises: the loss, or the divergence from the clean answer"
    )


class Stage(Config):
    """One stretch of training, in which rows, attack, losses and rates are set once."""

    name: str = Field(description='task, unfreezing and regime as a path, e.g. "task2/unfreeze1/pgd"')
    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="rows of a global batch")
    rows: RowFilter = RowFilter()
    sampler: AnySampler = ShuffledConfig()
    replay: Replay | None = None
    trainable: tuple[Pattern, ...] = ("*",)
    optimizer: AnyOptimizer
    rates: Rates
    perturb: Perturb | None = None
    terms: tuple[AnyTerm, ...] = Field(min_length=1)
    policies: tuple[AnyPolicy, ...] = ()
    during: tuple[tuple[Annotated[int, Field(ge=1)], AnyAction], ...] = Field(
        (), description="(every, action): the action acts after each `every`-th step of the stage"
    )
    on_exit: tuple[AnyAction, ...] = ()

    @model_validator(mode="after")
    def _views_are_there(self) -> Stage:
        for i, term in enumerate(self.terms):
            if ADVERSARIAL in term.views and self.perturb is None:
                raise ValueError(f"terms.{i}: '{term.kind}' reads adversarial rows, and nothing attacks; give perturb")
            if AVERAGED in term.views and not any(AVERAGED in action.gives for _, action in self.during):
                raise ValueError(f"terms.{i}: '{term.kind}' reads the average, and nothing averages; give during")
        return self
