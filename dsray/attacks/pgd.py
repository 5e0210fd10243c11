"""PGD: repeated signed gradient steps, each projected back into the ball (Madry et al. 2018, arXiv 1706.06083)."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dsray.attacks.config import Attack, AttackConfig
from dsray.attacks.gradient import input_gradient
from dsray.attacks.losses import LossName, judging, training
from dsray.attacks.threats import Threat
from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.noise import key_of
from dsray.base.protocols import Classifier, RowLoss
from dsray.likelihoods import likelihood_of


class PgdConfig(AttackConfig):
    """Projected gradient ascent, the standard first-order attack."""

    kind: Literal["pgd"] = "pgd"
    steps: int = Field(20, ge=1, le=10_000, description="gradient steps; each costs a forward and a backward pass")
    step_size: float | None = Field(
        None, gt=0, le=2, description="length of a step as a multiple of epsilon; 2.5 / steps when left out"
    )
    random_start: bool = Field(True, description="start from a uniform draw in the ball instead of the clean row")
    restarts: int = Field(1, ge=1, le=1000, description="random starts; the worst outcome of each row is kept")
    loss: LossName = Field(
        "cross_entropy",
        description="what the steps climb, in a judgement whatever the size of the logits; margin: the best wrong class",
    )

    @model_validator(mode="after")
    def _restarts_differ(self) -> Self:
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"{self.restarts} restarts without random_start are all the same; set random_start: true")
        return self

    @property
    def relative_step(self) -> float:
        """Length of a step as a multiple of epsilon."""
        return 2.5 / self.steps if self.step_size is None else self.step_size

    @property
    def name(self) -> str:
        name = f"pgd-{self.steps}"
        name += f"x{self.restarts}" if self.restarts > 1 else ""
        name += "" if self.step_size is None else f"-step{self.step_size:g}"
        name += "" if self.random_start else "-clean-start"
        return name + ("-margin" if self.loss == "margin" else "")

    @property
    def starts_clean(self) -> bool:
        return not self.random_start

    def in_training(self, likelihood: Likelihood) -> RowLoss:
        return training(self.loss, likelihood)

    def build(self) -> Attack:
        return Pgd(self)


class Pgd:
    """steps x restarts forward and backward passes; rows that have fallen leave early when `stop_early`."""

    def __init__(self, config: PgdConfig):
        self.name, self.loss = config.name, config.loss
        self.steps, self.relative_step = config.steps, config.relative_step
        self.random_start, self.restarts = config.random_start, config.restarts

    def __call__(
        self,
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        loss: RowLoss | None = None,
        *,
        seed: int = 0,
        stop_early: bool = False,
    ) -> Batch:
        """The batch with each row moved to where the loss is highest: the last point, the best of the restarts."""
        climb = loss or judging(self.loss, likelihood_of(model))
        if self.restarts == 1:
            moved = self._ascend(model, batch, threat, epsilon, climb, key_of(seed, self.name, 0), stop_early)
        else:
            moved = self._restart(model, batch, threat, epsilon, climb, seed, stop_early)
        return threat.write(batch, moved)

    def _restart(
        self,
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        climb: RowLoss,
        seed: int,
        stop_early: bool,
    ) -> Tensor:
        worst, wrong = threat.read(batch).clone(), likelihood_of(model).wrong
        highest = torch.full((len(batch),), float("-inf"), device=batch.device)
        standing = torch.arange(len(batch), device=batch.device)
        for restart in range(self.restarts):
            part = batch.select(standing) if stop_early else batch
            moved = self._ascend(model, part, threat, epsilon, climb, key_of(seed, self.name, restart), stop_early)
            with torch.no_grad():
                logits = model(threat.write(part, moved))
                value = climb(logits, part.target).to(highest.dtype)
            fell = wrong(logits, part.target) if stop_early else torch.zeros_like(standing, dtype=torch.bool)
            value = value.masked_fill(fell, float("inf"))
            better = value > highest[standing]
            worst[standing[better]], highest[standing[better]] = moved[better], value[better]
            standing = standing[~fell]
            if len(standing) == 0:
                break
        return worst

    def _ascend(
        self,
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        climb: RowLoss,
        key: int,
        stop_early: bool,
    ) -> Tensor:
        clean, wrong = threat.read(batch), likelihood_of(model).wrong
        moved = threat.start(batch, epsilon, key) if self.random_start else clean
        result, rows = moved.clone(), torch.arange(len(batch), device=batch.device)
        step = self.relative_step * epsilon
        for _ in range(self.steps):
            logits, gradient = input_gradient(model, batch, threat, moved, climb)
            if stop_early and (fell := wrong(logits, batch.target)).any():
                result[rows] = moved
                keep = ~fell
                batch, rows, moved, gradient = batch.select(keep), rows[keep], moved[keep], gradient[keep]
                clean = threat.read(batch)
                if len(rows) == 0:
                    break
            moved = threat.project(moved + step * threat.steepest(gradient), clean, epsilon)
        result[rows] = moved
        return result
