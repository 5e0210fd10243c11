"""Lengths: steps, or epochs that become steps once the number of rows is known."""

from __future__ import annotations

from pydantic import Field, model_validator

from dsray.base import Config
from dsray.data import steps_of


class Length(Config):
    """Base of sections that last: give `steps` or `epochs`, not both."""

    epochs: float | None = Field(
        None, gt=0, le=1e6, allow_inf_nan=False, description="passes over the rows of the stage, replayed ones apart"
    )
    steps: int | None = Field(None, ge=1, le=10**9, description="optimiser steps; instead of epochs")

    @model_validator(mode="after")
    def _one_length(self) -> Length:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self

    def in_steps(self, rows: int, batch: int) -> int:
        """Steps of `batch` new rows each; one epoch when neither is given."""
        return self.steps or steps_of(self.epochs if self.epochs is not None else 1.0, rows, batch)
