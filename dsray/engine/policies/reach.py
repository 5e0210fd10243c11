"""Stop a stage that has reached its goal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.protocols import Policy


class ReachConfig(PolicyConfig):
    """Stop when `metric` is at least `value` at a validation."""

    kind: Literal["reach"] = "reach"
    metric: str = Field("accuracy", description="name in the validation line; larger is better")
    value: float = Field(description="goal, in units of the metric")

    def build(self) -> Policy:
        def policy(history: list[dict[str, float]]) -> Decision:
            if history and history[-1][self.metric] >= self.value:
                return Decision(stop_stage=f"{self.metric} reached {self.value:g}")
            return CONTINUE

        return policy
