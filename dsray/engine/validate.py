"""Validation during training: every worker takes its share of the rows, sums are reduced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dsray.base import RequestError
from dsray.base.likelihood import Likelihood
from dsray.base.modes import evaluating
from dsray.base.protocols import Output
from dsray.base.routed import Routed, Routing
from dsray.data import Prepared, labelled, to_batch
from dsray.engine.context import Context
from dsray.engine.executions import Execution
from dsray.engine.views import AVERAGED, CLEAN
from dsray.engine.worker import Worker

ROWS = 256


def validation_line(
    model: Routed, worker: Worker, execution: Execution, average: Mapping[str, Tensor] | None = None
) -> dict[str, Any]:
    """Figures and routing on the rows of the validation split that have a target, the same on every worker.

    accuracy: of all of them; `rows_unknown` have a target that the model does not know and count as wrong.
    accuracy_known, loss and the figures of the kind of target: of the others. Beside them what its likelihood says.
    skip_rate, expert_load, blocks_run: of all rows, of a model with routing. A worker may have no row at all.
    average: weights that are judged in place of the model's.
    """
    data, likelihood, view = worker.data, model.likelihood, AVERAGED if average else CLEAN
    rows = labelled(data, data.splits["validation"])[worker.rank :: worker.size]
    routes = _Routes(model.routing) if model.routing is not None else None
    sums, tally = torch.zeros(4, dtype=torch.float64), _no_tally(worker.data, likelihood)
    with evaluating(model):
        for i in range(0, len(rows), ROWS):
            batch = to_batch(data.take(rows[i : i + ROWS]), data.schema).to(worker.device)
            output = execution.predict(Context(model, batch, 0, average=average), view)
            logits, target = output.logits.float().cpu(), batch.target.cpu()
            sums += _sums(likelihood, logits, target)
            tally += likelihood.tally(logits, target)
            if routes is not None:
                routes.add(output)
    sums, tally = execution.reduce(sums), execution.reduce(tally)
    found = _figures(sums) | likelihood.figures(tally) | likelihood.said(tally)
    return found | (routes.figures(execution) if routes is not None else {})


class _Routes:
    """What the rows of a split ran."""

    def __init__(self, routing: Routing):
        self.blocks = routing.blocks
        self.load = torch.zeros(routing.blocks, routing.experts, dtype=torch.int64)
        self.ran = torch.zeros(routing.blocks + 1, dtype=torch.int64)

    def add(self, output: Output) -> None:
        assert output.expert_load is not None and output.blocks_run is not None
        self.load += output.expert_load.cpu()
        self.ran += torch.bincount(output.blocks_run.cpu(), minlength=self.blocks + 1)

    def figures(self, execution: Execution) -> dict[str, Any]:
        """skip_rate, expert_load, blocks_run of the rows of all workers."""
        load, ran = execution.reduce(self.load), execution.reduce(self.ran)
        executed = float((ran * torch.arange(self.blocks + 1)).sum()) / (int(ran.sum()) * self.blocks)
        return {"skip_rate": 1 - executed, "expert_load": load.tolist(), "blocks_run": ran[1:].tolist()}


def _no_tally(data: Prepared, likelihood: Likelihood) -> Tensor:
    """The tally of no rows, which a worker without any adds to the others'."""
    target = torch.from_numpy(data.schema.target.unlabelled(0))
    return likelihood.tally(torch.zeros(0, likelihood.outputs), target)


def _sums(likelihood: Likelihood, logits: Tensor, target: Tensor) -> Tensor:
    """(4,) float64: rows, right ones, rows of known target, and their loss."""
    known, right = likelihood.known(target), ~likelihood.wrong(logits, target)
    loss = -likelihood.log_likelihood(logits, target)[known].double().sum()
    return torch.stack([torch.tensor(len(target)).double(), right.double().sum(), known.double().sum(), loss])


def _figures(sums: Tensor) -> dict[str, Any]:
    rows, right, known, loss = sums.tolist()
    if not known:
        raise RequestError(
            "data.source: no row of the validation split has a label that training rows have, to validate on"
        )
    return {
        "accuracy": right / rows,
        "accuracy_known": right / known,
        "loss": loss / known,
        "rows_unknown": int(rows - known),
    }
