"""The sections `train` and `adversarial` of an experiment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from pydantic import Field, model_validator

from dsray.attacks import (
    AnyAttack,
    AnyThreat,
    LinfConfig,
    PgdConfig,
    Radius,
    RandomSearchConfig,
    ThreatConfig,
    check_attacks,
)
from dsray.base import Config
from dsray.base.schedules import AnySchedule
from dsray.data.movable import NOTHING, ONE, Range
from dsray.data.samplers import AnySampler, ShuffledConfig
from dsray.engine.averaging import AveragingConfig
from dsray.engine.executions import Precision
from dsray.engine.length import Length
from dsray.engine.policies import AnyPolicy
from dsray.engine.stage import Perturb
from dsray.engine.terms import AnyTerm, MadryConfig, TaskConfig, TradesConfig
from dsray.engine.views import ADVERSARIAL
from dsray.optim import AdamWConfig, AnyOptimizer, Rates


class TrainConfig(Length):
    """Clean training, and what every later stage inherits from it."""

    batch: int = Field(64, ge=1, description="rows of a global batch, over all workers")
    sampler: AnySampler = Field(ShuffledConfig(), description="order of the rows of every stage: shuffled, or balanced")
    accumulate: int = Field(
        1, ge=1, description="parts of a worker's batch that go through the model one after the other, to save memory"
    )
    optimizer: AnyOptimizer = AdamWConfig()
    rates: Rates = Field(Rates(), description="learning rates of every stage that brings none of its own")
    task: TaskConfig = Field(
        TaskConfig(), description="the supervised loss of clean stages; an adversarial one has its own `loss`"
    )
    clip: float | None = Field(1.0, gt=0, description="largest norm of the gradient; null for none")
    precision: Precision = Field("fp32", description="bf16 needs hardware that has it")
    average: AveragingConfig | None = Field(
        None, description="each stage ends with the average of its weights, which validations judge"
    )
    threads: int = Field(1, ge=1, description="torch threads of each worker; part of the result, since it orders sums")
    policies: tuple[AnyPolicy, ...] = Field((), description="decisions taken at each validation")
    log_every: int = Field(20, ge=1, description="steps between lines of the history")
    validate_every: int = Field(
        100, ge=1, description="steps between validations; a fifth of all steps where that is less"
    )
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints; each stage ends with one too")

    @model_validator(mode="after")
    def _one_keeps_the_best(self) -> TrainConfig:
        keep = [i for i, policy in enumerate(self.policies) if policy.keeps_best]
        if len(keep) > 1:
            raise ValueError(
                f"policies.{keep[1]}.keep: policy {keep[0]} keeps the best weights already, by its own metric; "
                "write keep: last here or there"
            )
        return self


class AdversarialStage(Length):
    """One stage of adversarial training."""

    name: str = Field("adversarial", pattern=r"^[\w-]+$", description="name of the stage")
    attack: AnyAttack = PgdConfig(steps=3)
    threat: AnyThreat = Field(LinfConfig(), description="what may be moved, and how far")
    epsilon: AnySchedule = Field(
        description="radius over the stage in the units of the threat, those of the input's range, e.g. 8/255 = 0.0314"
    )
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the rows of each batch, new and replayed alike, that are perturbed; the others stay clean",
    )
    loss: AnyTerm = Field(MadryConfig(), description="madry or trades")
    rates: Rates | None = Field(None, description="learning rates of this stage; those of train when absent")

    @model_validator(mode="after")
    def _sound(self) -> AdversarialStage:
        if ADVERSARIAL not in self.loss.views:
            raise ValueError(f"loss: '{self.loss.kind}' reads no adversarial rows; use madry or trades")
        if isinstance(self.loss, TradesConfig) and self.attack.starts_clean:
            raise ValueError(
                f"attack: {self.attack.name} starts at the clean {self.threat.input or ONE}, where the divergence that trades "
                "climbs has no gradient; use pgd with random_start, or loss madry"
            )
        return self

    def perturb(self) -> Perturb:
        """How the stage perturbs its batches."""
        climbs = "clean_divergence" if isinstance(self.loss, TradesConfig) else "cross_entropy"
        return Perturb(attack=self.attack, threat=self.threat, epsilon=self.epsilon, share=self.share, climbs=climbs)


class JudgeConfig(Config):
    """How the run judges robustness, on rows of the test split."""

    threat: AnyThreat = Field(LinfConfig(), description="what may be moved, and how far")
    epsilon: Radius = Field(0.1, description="radius of the judgement, in the units of the threat")
    rows: int = Field(300, ge=1, description="rows judged (the first of a fixed permutation)")
    attacks: tuple[AnyAttack, ...] = Field(
        (PgdConfig(steps=20), RandomSearchConfig()),
        description="a row counts only if all of them fail",
        json_schema_extra={"minItems": 1},
    )
    curve: tuple[Radius, ...] = Field((0.05, 0.15, 0.2), description="radii of the robustness curve")
    curve_rows: int = Field(75, ge=1, description="rows that the curve is judged on")

    @model_validator(mode="after")
    def _can_judge(self) -> JudgeConfig:
        check_attacks(self.attacks)
        return self


class AdversarialConfig(Config):
    """Adversarial stages after clean training, and the judgement of the result."""

    stages: tuple[AdversarialStage, ...] = Field((), description="in order, each after the clean stage")
    baseline: bool = Field(True, description="train an undefended model of equal steps beside it")
    judge: JudgeConfig = JudgeConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> AdversarialConfig:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or "clean" in names:
            raise ValueError("the names of adversarial stages must differ from each other and from 'clean'")
        return self

    def check_threats(self, ranges: Mapping[str, Range | None]) -> None:
        """A ValueError where a threat finds no input of its own, or a radius is more than it can reach.

        ranges: input -> the range of its values as far as it is known, None where they are not continuous.
        """
        if not any(ranges.values()):
            raise ValueError(f"adversarial: {NOTHING}")
        for i, stage in enumerate(self.stages):
            fault = partial(stage.threat.fault_of_span, *stage.epsilon.span())
            _check(f"adversarial.stages.{i}", stage.threat, {"epsilon": fault}, ranges)
        radii = {"epsilon": self.judge.epsilon} | {f"curve.{i}": e for i, e in enumerate(self.judge.curve)}
        faults = {name: partial(self.judge.threat.fault, epsilon) for name, epsilon in radii.items()}
        _check("adversarial.judge", self.judge.threat, faults, ranges)


def _check(
    field: str,
    threat: ThreatConfig,
    faults: Mapping[str, Callable[[float], str | None]],
    ranges: Mapping[str, Range | None],
) -> None:
    """faults: name of a radius -> largest radius -> what is wrong with it. How many numbers will move is not known yet."""
    try:
        low, high = ranges[threat.choose({name: limits is not None for name, limits in ranges.items()})] or (0.0, 0.0)
    except ValueError as error:
        raise ValueError(f"{field}.{error}") from None
    for name, fault in faults.items():
        if said := fault(threat.largest([(math.inf, high - low)])):
            raise ValueError(f"{field}.{name}: {said}")
