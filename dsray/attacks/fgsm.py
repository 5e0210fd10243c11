"""FGSM: one step along the sign of the gradient (Goodfellow et al. 2015, arXiv 1412.6572)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.attacks.ball import IMAGE, project_linf
from dsray.attacks.config import AttackConfig
from dsray.attacks.gradient import image_gradient
from dsray.attacks.losses import IN_TRAINING, LOSSES, LossName
from dsray.base.batch import Batch
from dsray.base.protocols import Attack, Classifier, RowLoss


class FgsmConfig(AttackConfig):
    """x + epsilon * sign(gradient): the cheapest attack, too weak to judge a model by."""

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

    @property
    def in_training(self) -> RowLoss | None:
        return IN_TRAINING[self.loss]

    def build(self) -> Attack:
        return Fgsm(LOSSES[self.loss])


class Fgsm:
    """One forward and one backward pass; nothing in it is random."""

    def __init__(self, loss: RowLoss):
        self.loss = loss

    def __call__(
        self,
        model: Classifier,
        batch: Batch,
        epsilon: float,
        loss: RowLoss | None = None,
        *,
        seed: int = 0,
        stop_early: bool = False,
    ) -> Batch:
        """The batch with each image moved to a corner of its ball."""
        x = batch.inputs[IMAGE]
        _, gradient = image_gradient(model, batch, x, loss or self.loss)
        return batch.with_input(IMAGE, project_linf(x + epsilon * gradient.sign(), x, epsilon))
