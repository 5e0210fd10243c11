"""The section `train.average`: what a stage learns is the average of its weights."""

from __future__ import annotations

from pydantic import Field

from dsray.base import Config
from dsray.engine.actions import ActionConfig, AverageConfig


class AveragingConfig(Config):
    """An exponential moving average of the weights, begun anew with each stage, which validations judge and the stage ends with."""

    decay: float = Field(
        0.998, ge=0, lt=1, description="what the average keeps of itself each time; less forgets sooner"
    )
    every: int = Field(1, ge=1, description="steps between the weights that are averaged")

    def during(self) -> tuple[tuple[int, ActionConfig], ...]:
        """What a stage does while it learns."""
        return ((self.every, AverageConfig(decay=self.decay)),)
