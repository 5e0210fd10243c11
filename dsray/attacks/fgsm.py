"""FGSM: one step along the gradient, by its sign under L-inf (Goodfellow et al. 2015, arXiv 1412.6572)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.attacks.config import Attack, AttackConfig
from dsray.attacks.gradient import input_gradient
from dsray.attacks.losses import LossName, judging, training
from dsray.attacks.threats import Threat
from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Classifier, RowLoss
from dsray.likelihoods import likelihood_of


class FgsmConfig(AttackConfig):
    """x + epsilon * steepest(gradient), its sign under L-inf: the cheapest attack, too weak to judge a model by."""

    kind: Literal["fgsm"] = "fgsm"
    loss: LossName = Field(
        "cross_entropy", description="what the step climbs; in a judgement, whatever the size of the logits"
    )

    @property
    def name(self) -> str:
        return "fgsm" + ("-margin" if self.loss == "margin" else "")

    @property
    def starts_clean(self) -> bool:
        return True

    def in_training(self, likelihood: Likelihood) -> RowLoss:
        return training(self.loss, likelihood)

    def build(self) -> Attack:
        return Fgsm(self.loss)


class Fgsm:
    """One forward and one backward pass; nothing in it is random."""

    def __init__(self, loss: LossName):
        self.loss = loss

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
        """The batch with each row moved to the edge of its ball: under L-inf to a corner, under L2 along the gradient."""
        clean = threat.read(batch)
        _, gradient = input_gradient(model, batch, threat, clean, loss or judging(self.loss, likelihood_of(model)))
        return threat.write(batch, threat.project(clean + epsilon * threat.steepest(gradient), clean, epsilon))
