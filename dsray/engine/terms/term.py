"""What all terms share: a weight that is a schedule."""

from __future__ import annotations

from pydantic import Field

from dsray.base import Plugin
from dsray.base.protocols import Term
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
