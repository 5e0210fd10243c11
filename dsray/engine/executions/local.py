"""The parts of a step that a process does by itself, whatever other processes do: every execution is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dsray.base.protocols import Output
from dsray.engine.context import Context, View
from dsray.engine.executions.execution import Precision, WeightedTerm, autocast, loss_of


def forward_backward(
    context: Context,
    terms: Sequence[WeightedTerm],
    rows: int,
    precision: Precision,
    device: torch.device,
    accumulate: int = 1,
) -> dict[str, Tensor]:
    """Add the gradients of this process's rows; returns each term's part of the mean over the `rows` of all.

    accumulate: equal parts that the rows go through the model in; what one of them holds is free before the next begins.
    """
    total: dict[str, Tensor] = {}
    for part in context.parts(accumulate):
        found = _forward_backward(part, terms, rows, precision, device)
        total = {name: total[name] + value for name, value in found.items()} if total else found
    return total


def _forward_backward(
    context: Context, terms: Sequence[WeightedTerm], rows: int, precision: Precision, device: torch.device
) -> dict[str, Tensor]:
    with autocast(precision, device):
        loss, parts = loss_of(context, terms, rows)
    loss.backward()
    return parts


def clip(parameters: Iterable[nn.Parameter], max_norm: float | None) -> float:
    """Scale the gradients, which are whole here, to a norm of at most `max_norm`; returns the norm before."""
    limit = float("inf") if max_norm is None else max_norm
    return float(nn.utils.clip_grad_norm_(parameters, limit))


def optimizer_step(optimizer: torch.optim.Optimizer) -> None:
    """Update the parameters and clear the gradients."""
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def predict(context: Context, view: View, precision: Precision, device: torch.device) -> Output:
    """A view of the rows by the whole model, in the mode that it is in."""
    with autocast(precision, device):
        return context[view]
