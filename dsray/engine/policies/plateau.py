"""Stop a stage that no longer improves (early stopping, Prechelt 1998)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.protocols import Policy


class PlateauConfig(PolicyConfig):
    """Stop when `metric` has not risen by more than `tolerance` for `patience` validations."""

    kind: Literal["plateau"] = "plateau"
    metric: str = Field("accuracy", description="name in the validation line; larger is better")
    patience: int = Field(5, ge=1, description="validations without improvement")
    tolerance: float = Field(0.0, ge=0, description="rise that counts as improvement, in units of the metric")

    def build(self) -> Policy:
        def policy(history: list[dict[str, float]]) -> Decision:
            values = [line[self.metric] for line in history]
            if len(values) <= self.patience:
                return CONTINUE
            best_before = max(values[: -self.patience])
            if max(values[-self.patience :]) > best_before + self.tolerance:
                return CONTINUE
            return Decision(stop_stage=f"{self.metric} flat for {self.patience} validations")

        return policy
