"""Every worker holds the whole model and its share of the batch; gradients are summed in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dsray.base.protocols import Output
from dsray.engine.context import Context, View
from dsray.engine.executions import local
from dsray.engine.executions.execution import Precision, WeightedTerm
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState


@final
class DataParallel:
    """Sums gradients over `group` after the backward pass.

    Losses are already divided by the rows of the *global* batch, so the sum is exact even when workers hold unequal
    shares. A step may run the model several times (clean, adversarial), which hooks on the backward pass cannot count.
    """

    def __init__(
        self,
        model: nn.Module,
        precision: Precision = "fp32",
        group: dist.ProcessGroup | None = None,
        accumulate: int = 1,
    ):
        self.model, self.precision, self.group, self.accumulate = model, precision, group, accumulate
        self.device = next(model.parameters()).device
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.detach(), src=0, group=group)

    def check(self, stage: Stage) -> None:
        pass

    def forward_backward(self, context: Context, terms: Sequence[WeightedTerm], rows: int) -> dict[str, Tensor]:
        parts = local.forward_backward(context, terms, rows, self.precision, self.device, self.accumulate)
        sum_gradients(self.model.parameters(), self.group)
        return parts

    def clip(self, max_norm: float | None) -> float:
        return local.clip(self.model.parameters(), max_norm)

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        local.optimizer_step(optimizer)

    def expert_load(self, context: Context) -> Tensor:
        return self.reduce(context.expert_load())

    def reduce(self, values: Tensor) -> Tensor:
        return summed(values, self.device, self.group)

    def gather(self, state: TrainState) -> None:
        pass

    def predict(self, context: Context, view: View) -> Output:
        return local.predict(context, view, self.precision, self.device)


def summed(values: Tensor, device: torch.device, group: dist.ProcessGroup | None) -> Tensor:
    """The sum of `values` over `group`, where they were. device: what the group carries (NCCL takes no CPU tensors)."""
    there = values.to(device, copy=True)
    dist.all_reduce(there, group=group)
    return there.to(values.device)


def sum_gradients(parameters: Iterable[nn.Parameter], group: dist.ProcessGroup | None) -> None:
    """Sum the gradients of the trainable parameters over `group` in one message; a missing one counts as zero."""
    learning = [p for p in parameters if p.requires_grad]
    if not learning:
        return
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in learning])
    dist.all_reduce(flat, group=group)
    offset = 0
    for p in learning:
        p.grad = flat[offset : offset + p.numel()].view_as(p)
        offset += p.numel()
