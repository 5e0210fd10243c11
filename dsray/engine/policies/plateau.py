"""Stop a stage that no longer improves, and keep its best weights (early stopping, Prechelt 1998)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.base.protocols import Policy
from dsray.data.facts import Facts
from dsray.engine.policies.policy import Decision, PolicyConfig
from dsray.engine.policies.watched import METRIC


class PlateauConfig(PolicyConfig):
    """Stop when `metric` has not improved by more than `tolerance` for `patience` validations.

    Which way is better belongs to the metric: accuracy rises, loss falls.
    """

    kind: Literal["plateau"] = "plateau"
    metric: str | None = Field(None, description=METRIC)
    patience: int = Field(5, ge=1, description="validations without improvement")
    tolerance: float = Field(0.0, ge=0, description="change that counts as improvement, in units of the metric")
    keep: Literal["best", "last"] = Field(
        "best",
        description="weights that a stage ends with: those of its best validation by `metric`, or the last ones; a stage "
        "that attacks its rows ends with the last ones, since validations are clean",
    )

    @property
    def keeps_best(self) -> bool:
        return self.keep == "best"

    @property
    def watches(self) -> str | None:
        return self.metric

    def build(self, facts: Facts) -> Policy:
        metric = self.metric or facts.figure
        gain = facts.gain(metric)

        def policy(history: list[dict[str, float]]) -> Decision:
            values = [gain(line[metric]) for line in history]
            best = metric if values and self.keeps_best and all(values[-1] > value for value in values[:-1]) else None
            if len(values) <= self.patience:
                return Decision(best_by=best)
            if max(values[-self.patience :]) > max(values[: -self.patience]) + self.tolerance:
                return Decision(best_by=best)
            waited = "1 validation" if self.patience == 1 else f"{self.patience} validations"
            return Decision(f"{metric} flat for {waited}", best)

        return policy
