"""What all terms share: a weight that is a schedule, and the supervised loss over all exits."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from dsray.base import Plugin
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output, Term
from dsray.base.schedules import AnySchedule, ConstantConfig
from dsray.data.facts import Facts
from dsray.engine.views import CLEAN, ViewConfig


class TermConfig(Plugin):
    """Base of all terms: a loss of what some views of a step say."""

    weight: AnySchedule = Field(ConstantConfig(value=1.0), description="factor on the loss over the stage")

    def build(self, facts: Facts) -> Term:
        """The term itself. facts: of the stage that it is built for."""
        raise NotImplementedError

    @property
    def views(self) -> tuple[ViewConfig, ...]:
        """The views that the term reads: a stage must give them, and a pipeline gives only the clean one."""
        return (CLEAN,)


def supervised(
    likelihood: Likelihood, output: Output, target: Tensor, *, exit_weight: float, smoothing: float = 0.0
) -> Tensor:
    """(batch,): the loss of the final answer plus `exit_weight` times that of each early exit, normalised.

    Deep supervision (Lee et al. 2015) teaches every exit to answer on its own.
    """
    final = likelihood.loss(output.logits, target, smoothing=smoothing)
    early = output.exits[:-1]
    if not early or exit_weight == 0:
        return final
    for logits in early:
        final = final + exit_weight * likelihood.loss(logits, target, smoothing=smoothing)
    return final / (1 + exit_weight * len(early))
