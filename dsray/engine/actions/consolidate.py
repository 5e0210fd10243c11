"""Consolidate a finished task: its weights and their Fisher information become an EWC anchor."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from dsray.base.noise import key_of
from dsray.engine.actions.action import ActionConfig, Border
from dsray.learning import Anchor
from dsray.optim import FisherKind, diagonal_fisher


class ConsolidateConfig(ActionConfig):
    """Measure the diagonal Fisher on rows of the stage and anchor the weights there."""

    kind: Literal["consolidate"] = "consolidate"
    rows: int = Field(
        200, ge=1, description="training rows of the stage to measure on, one backward pass per exit each"
    )
    fisher: FisherKind = Field("true", description="labels drawn from the model (true) or given (empirical)")

    def act(self, border: Border) -> dict[str, Any]:
        seed = key_of(border.seed, "consolidate", border.stage)
        chosen = np.random.default_rng(seed).choice(border.rows, min(self.rows, len(border.rows)), replace=False)
        rows = np.sort(chosen)
        fisher = diagonal_fisher(border.state.model, border.batches(rows), kind=self.fisher, seed=seed)
        border.state.anchors.append(Anchor.of(border.state.model, fisher))
        return {"anchors": len(border.state.anchors), "fisher_rows": len(rows)}
