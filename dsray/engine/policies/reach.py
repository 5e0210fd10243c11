"""Stop a stage that has reached its goal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.base.protocols import Policy
from dsray.data.facts import Facts
from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.engine.policies.watched import METRIC


class ReachConfig(PolicyConfig):
    """Stop when `metric` is as good as `value` at a validation: at least it for accuracy, at most it for loss."""

    kind: Literal["reach"] = "reach"
    metric: str | None = Field("accuracy", description=METRIC)
    value: float = Field(description="goal, in units of the metric")

    @property
    def watches(self) -> str | None:
        return self.metric

    def build(self, facts: Facts) -> Policy:
        metric = self.metric or facts.figure
        gain = facts.gain(metric)

        def policy(history: list[dict[str, float]]) -> Decision:
            if history and gain(history[-1][metric]) >= gain(self.value):
                return Decision(stop_stage=f"{metric} reached {self.value:g}")
            return CONTINUE

        return policy
