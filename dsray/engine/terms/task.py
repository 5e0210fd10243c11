"""The task itself: the loss on clean rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from dsray.base.protocols import Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.term import TermConfig, supervised
from dsray.engine.views import CLEAN


class TaskConfig(TermConfig):
    """Loss (cross-entropy for classes) of the final answer and of every early exit."""

    kind: Literal["task"] = "task"
    exit_weight: float = Field(0.5, ge=0, description="weight of each early exit beside the final one's 1")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="probability mass spread over the other answers")

    def build(self, facts: Facts) -> Term:
        def term(context: Context) -> Tensor:
            return supervised(
                context.likelihood,
                context[CLEAN],
                context.batch.target,
                exit_weight=self.exit_weight,
                smoothing=self.label_smoothing,
            )

        return term
