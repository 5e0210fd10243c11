"""One process holds the whole model and the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from dsray.base.protocols import Output
from dsray.engine.context import Context, View
from dsray.engine.executions import local
from dsray.engine.executions.execution import Precision, WeightedTerm
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState


@final
class SingleProcess:
    """The plain way: forward, backward, clip, step."""

    def __init__(self, model: nn.Module, precision: Precision = "fp32", accumulate: int = 1):
        self.model, self.precision, self.accumulate = model, precision, accumulate
        self.device = next(model.parameters()).device

    def check(self, stage: Stage) -> None:
        pass

    def forward_backward(self, context: Context, terms: Sequence[WeightedTerm], rows: int) -> dict[str, Tensor]:
        return local.forward_backward(context, terms, rows, self.precision, self.device, self.accumulate)

    def clip(self, max_norm: float | None) -> float:
        return local.clip(self.model.parameters(), max_norm)

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        local.optimizer_step(optimizer)

    def expert_load(self, context: Context) -> Tensor:
        return context.expert_load()

    def reduce(self, values: Tensor) -> Tensor:
        return values

    def gather(self, state: TrainState) -> None:
        pass

    def predict(self, context: Context, view: View) -> Output:
        return local.predict(context, view, self.precision, self.device)
