"""How a step is carried out. The loop calls these and never `backward` itself, so a model may be cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from dsray.base import RequestError
from dsray.base.protocols import Output, Term
from dsray.base.schedules import Schedule
from dsray.engine.context import Context, View

if TYPE_CHECKING:
    from dsray.engine.stage import Stage
    from dsray.engine.state import TrainState

Precision = Literal["fp32", "bf16"]
WeightedTerm = tuple[str, Schedule, Term]


class Execution(Protocol):
    """One way to run a step on the devices of this worker."""

    @property
    def model(self) -> nn.Module:
        """The model that contexts run."""
        ...

    def check(self, stage: Stage) -> None:
        """A RequestError where a stage asks for what this execution cannot do."""
        ...

    def forward_backward(self, context: Context, terms: Sequence[WeightedTerm], rows: int) -> dict[str, Tensor]:
        """Add the gradients of sum(loss per row) / rows, over all workers; returns each term's part of that mean.

        rows: rows of the global batch, of which this worker's are in the context; how many go through the model at once
        is the execution's own affair.
        """
        ...

    def clip(self, max_norm: float | None) -> float:
        """Scale all gradients to a global norm of at most `max_norm`; returns the norm before."""
        ...

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the parameters and clear the gradients."""
        ...

    def expert_load(self, context: Context) -> Tensor:
        """(blocks, experts) int64: choices of the experts in this step, summed over the workers."""
        ...

    def reduce(self, values: Tensor) -> Tensor:
        """Sum of a small tensor over the workers that hold other rows than this one."""
        ...

    def gather(self, state: TrainState) -> None:
        """Bring what other processes hold of model, optimiser and average into `state`, before anything reads it."""
        ...

    def predict(self, context: Context, view: View) -> Output:
        """A view of these rows by the whole model, without gradients."""
        ...


def loss_of(context: Context, terms: Sequence[WeightedTerm], rows: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of the terms over this worker's rows, divided by the rows of the global batch.

    The names of the terms must differ.
    """
    parts = {name: weight(context.step) * term(context).sum() / rows for name, weight, term in terms}
    if len(parts) < len(terms):
        raise ValueError(f"two terms have one name: {', '.join(name for name, _, _ in terms)}")
    return torch.stack(list(parts.values())).sum(), {name: part.detach() for name, part in parts.items()}


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision where the machine has it; a RequestError where it does not."""
    if precision == "fp32":
        return nullcontext()
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise RequestError("train.precision: this GPU has no bf16; use fp32")
    return torch.autocast(device.type, dtype=torch.bfloat16)
