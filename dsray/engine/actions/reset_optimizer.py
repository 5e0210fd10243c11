"""Start the stage with a fresh optimiser."""

from __future__ import annotations

from typing import Any, Literal

from dsray.engine.actions.action import ActionConfig, Border


class ResetOptimizerConfig(ActionConfig):
    """Forget momentum and second moments of earlier stages."""

    kind: Literal["reset_optimizer"] = "reset_optimizer"

    def act(self, border: Border) -> dict[str, Any]:
        border.state.forget_optimizer()
        return {}
