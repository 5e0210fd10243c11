"""TRADES (Zhang et al. 2019): clean loss plus divergence between the clean and the adversarial answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output, Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.supervised import SupervisedConfig
from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig


class TradesConfig(SupervisedConfig):
    """The loss on clean rows + beta x KL(clean answer || adversarial answer), at every exit."""

    kind: Literal["trades"] = "trades"
    beta: float = Field(4.0, gt=0, description="weight of the divergence; larger is more robust and less accurate")

    @property
    def views(self) -> tuple[ViewConfig, ...]:
        return (CLEAN, ADVERSARIAL)

    def build(self, facts: Facts) -> Term:
        loss = self.losses(facts)

        def term(context: Context) -> Tensor:
            clean = loss(context, context[CLEAN])
            return clean + self.beta * _divergence(
                context.likelihood, context[CLEAN], context[ADVERSARIAL], self.exit_weight
            )

        return term


def _divergence(likelihood: Likelihood, clean: Output, adversarial: Output, exit_weight: float) -> Tensor:
    """(batch,): KL(clean || adversarial) over the final answer and the exits, weighted as `supervised` does."""
    total = likelihood.divergence(clean.logits, adversarial.logits)
    early = list(zip(clean.exits[:-1], adversarial.exits[:-1], strict=True))
    for c, a in early:
        total = total + exit_weight * likelihood.divergence(c, a)
    return total / (1 + exit_weight * len(early))
