"""Elastic weight consolidation as a term (Kirkpatrick et al. 2017)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dsray.base.protocols import Term
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.term import TermConfig
from dsray.engine.views import ViewConfig
from dsray.learning import ewc_penalty


class EwcConfig(TermConfig):
    """strength x sum of 1/2 F (theta - theta*)^2 over the anchors of earlier tasks; 0 before the first."""

    kind: Literal["ewc"] = "ewc"
    strength: float = Field(100.0, gt=0, description="lambda of the paper")

    @property
    def views(self) -> tuple[ViewConfig, ...]:
        return ()

    def build(self, facts: Facts) -> Term:
        def term(context: Context) -> Tensor:
            rows = torch.zeros(len(context.batch), device=context.batch.device)
            if not context.anchors:
                return rows
            return rows + self.strength * ewc_penalty(dict(context.model.named_parameters()), context.anchors)

        return term
