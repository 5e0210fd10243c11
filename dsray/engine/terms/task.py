"""The task itself: the loss on clean rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from dsray.base.protocols import Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.supervised import SupervisedConfig
from dsray.engine.views import CLEAN


class TaskConfig(SupervisedConfig):
    """Loss (cross-entropy for classes) of the final answer and of every early exit."""

    kind: Literal["task"] = "task"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="probability mass spread over the other answers")

    def build(self, facts: Facts) -> Term:
        loss = self.losses(facts, self.label_smoothing)

        def term(context: Context) -> Tensor:
            return loss(context, context[CLEAN])

        return term
