"""Lower the learning rate where a stage no longer improves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from dsray.base.protocols import Policy
from dsray.data.facts import Facts
from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.engine.policies.watched import METRIC


class ReduceRateConfig(PolicyConfig):
    """Multiply the rate by `factor` each time that `metric` has not improved by more than `tolerance` for `patience` validations.

    As torch.optim.lr_scheduler.ReduceLROnPlateau does, whose patience is one less and whose rate is set, not multiplied.
    """

    kind: Literal["reduce_rate"] = "reduce_rate"
    metric: str | None = Field(None, description=METRIC)
    factor: float = Field(0.5, gt=0, lt=1, description="what the rate is multiplied by")
    patience: int = Field(2, ge=1, description="validations without improvement")
    tolerance: float = Field(0.0, ge=0, description="change that counts as improvement, in units of the metric")
    least: float = Field(0.01, ge=0, lt=1, description="least share of the rate that is left of it")

    @property
    def watches(self) -> str | None:
        return self.metric

    @property
    def sets(self) -> tuple[str, ...]:
        return ("rate",)

    def build(self, facts: Facts) -> Policy:
        metric = self.metric or facts.figure
        gain = facts.gain(metric)

        def policy(history: list[dict[str, float]]) -> Decision:
            times = self._reductions(gain(line[metric]) for line in history)
            return Decision(set={"rate": max(self.least, self.factor**times)}) if times else CONTINUE

        return policy

    def _reductions(self, gains: Iterable[float]) -> int:
        """How often the rate has been reduced after validations with these gains, the oldest first."""
        best, waited, times = -math.inf, 0, 0
        for gain in gains:
            best, waited = (gain, 0) if gain > best + self.tolerance else (best, waited + 1)
            if waited == self.patience:
                waited, times = 0, times + 1
        return times
