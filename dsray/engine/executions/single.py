"""One process holds the whole model and the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dsray.base.batch import Batch
from dsray.base.protocols import Output
from dsray.engine.context import Context
from dsray.engine.executions.execution import Precision, WeightedTerm, autocast, loss_of
from dsray.engine.state import TrainState


class SingleProcess:
    """The plain way: forward, backward, clip, step."""

    def __init__(self, model: nn.Module, precision: Precision = "fp32"):
        self.model, self.precision = model, precision
        self.device = next(model.parameters()).device

    def forward_backward(self, context: Context, terms: Sequence[WeightedTerm], rows: int) -> dict[str, Tensor]:
        with autocast(self.precision, self.device):
            loss, parts = loss_of(context, terms, rows)
        loss.backward()
        return parts

    def clip(self, max_norm: float | None) -> float:
        limit = float("inf") if max_norm is None else max_norm
        return float(nn.utils.clip_grad_norm_(self.model.parameters(), limit))

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def expert_load(self, context: Context) -> Tensor:
        return self.reduce(context.expert_load())

    def gather(self, state: TrainState) -> None:
        pass

    def reduce(self, values: Tensor) -> Tensor:
        return values

    @torch.no_grad()
    def predict(self, batch: Batch) -> Output:
        with autocast(self.precision, self.device):
            return self.model(batch.inputs, batch.present)
