"""Stop a stage that has reached its goal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.base.figures import figure
from dsray.base.protocols import Policy
from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.engine.policies.watched import Watched


class ReachConfig(PolicyConfig):
    """Stop when `metric` is as good as `value` at a validation: at least it for accuracy, at most it for loss."""

    kind: Literal["reach"] = "reach"
    metric: Watched = Field("accuracy", description="figure of the validations, e.g. accuracy, balanced_accuracy, loss")
    value: float = Field(description="goal, in units of the metric")

    @property
    def watches(self) -> str:
        return self.metric

    def build(self) -> Policy:
        def policy(history: list[dict[str, float]]) -> Decision:
            gain = figure(self.metric).gain
            if history and gain(history[-1][self.metric]) >= gain(self.value):
                return Decision(stop_stage=f"{self.metric} reached {self.value:g}")
            return CONTINUE

        return policy
