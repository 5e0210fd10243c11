"""Adversarial training (Madry et al. 2018), with a share of clean loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from dsray.base.protocols import Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.supervised import SupervisedConfig
from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig


class MadryConfig(SupervisedConfig):
    """(1 - clean_share) x loss on adversarial rows + clean_share x loss on the same rows unperturbed."""

    kind: Literal["madry"] = "madry"
    clean_share: float = Field(0.5, ge=0, lt=1, description="share of the loss on clean rows")

    @property
    def views(self) -> tuple[ViewConfig, ...]:
        return (ADVERSARIAL, CLEAN) if self.clean_share else (ADVERSARIAL,)

    def build(self, facts: Facts) -> Term:
        loss = self.losses(facts)

        def term(context: Context) -> Tensor:
            adversarial = loss(context, context[ADVERSARIAL])
            if self.clean_share == 0:
                return adversarial
            return (1 - self.clean_share) * adversarial + self.clean_share * loss(context, context[CLEAN])

        return term
