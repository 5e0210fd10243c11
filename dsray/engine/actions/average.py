"""The average of the weights over the steps of a stage."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from dsray.engine.actions.action import ActionConfig, Border
from dsray.engine.views import AVERAGED, ViewConfig


class AverageConfig(ActionConfig):
    """Exponential moving average of the parameters in `state.average` (Tarvainen & Valpola 2017); buffers as they stand.

    The plain mean of what it has seen (Polyak & Juditsky 1992) until that is the shorter memory: the n-th time, the
    average keeps min(decay, 1 - 1 / n) of itself, so that the weights that a stage begins with do not linger.
    """

    kind: Literal["average"] = "average"
    whole: ClassVar[bool] = False
    decay: float = Field(0.998, ge=0, lt=1, description="what the average keeps of itself each time")

    @property
    def gives(self) -> tuple[ViewConfig, ...]:
        return (AVERAGED,)

    @torch.no_grad()
    def act(self, border: Border) -> dict[str, Any]:
        state = border.state
        weights = state.model.state_dict()
        if not state.average:
            state.average = {name: tensor.clone() for name, tensor in weights.items()}
            return {}
        learned = [name for name, _ in state.model.named_parameters()]
        kept = min(self.decay, 1 - 1 / border.firing)
        torch._foreach_lerp_([state.average[n] for n in learned], [weights[n] for n in learned], 1 - kept)
        for name in weights.keys() - set(learned):
            state.average[name].copy_(weights[name])
        return {}
