"""Adversarial training (Madry et al. 2018), with a share of clean loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from dsray.base.protocols import Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.term import TermConfig, supervised
from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig


class MadryConfig(TermConfig):
    """(1 - clean_share) x loss on adversarial rows + clean_share x loss on the same rows unperturbed."""

    kind: Literal["madry"] = "madry"
    clean_share: float = Field(0.5, ge=0, lt=1, description="share of the loss on clean rows")
    exit_weight: float = Field(0.5, ge=0, description="weight of each early exit beside the final one's 1")

    @property
    def views(self) -> tuple[ViewConfig, ...]:
        return (ADVERSARIAL, CLEAN) if self.clean_share else (ADVERSARIAL,)

    def build(self, facts: Facts) -> Term:
        def term(context: Context) -> Tensor:
            target = context.batch.target
            loss = supervised(context.likelihood, context[ADVERSARIAL], target, exit_weight=self.exit_weight)
            if self.clean_share == 0:
                return loss
            clean = supervised(context.likelihood, context[CLEAN], target, exit_weight=self.exit_weight)
            return (1 - self.clean_share) * loss + self.clean_share * clean

        return term
