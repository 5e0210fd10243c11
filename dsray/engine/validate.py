"""Validation during training: every worker takes its share of the rows, sums are reduced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.base.modes import evaluating
from dsray.base.protocols import Output
from dsray.base.routed import Routed, Routing
from dsray.data import labelled, to_batch, uneven
from dsray.engine.executions import Execution
from dsray.engine.worker import Worker

ROWS = 256


def validation_line(model: Routed, worker: Worker, execution: Execution) -> dict[str, Any]:
    """Figures and routing on the rows of the validation split that have a label, the same on every worker.

    accuracy: of all of them; `rows_unknown` are of a class that the training rows do not have and count as wrong.
    accuracy_known, balanced_accuracy (mean recall of the classes that occur) and loss: of the others. uneven: whether
    accuracy alone says little, see `dsray.data.uneven`. classes_answered: how many different classes are given as an
    answer; where it is one for several rows, `one_answer` names it. skip_rate, expert_load, blocks_run: of all rows,
    of a model with routing. A worker may have no row at all.
    """
    data = worker.data
    rows = labelled(data, data.splits["validation"])[worker.rank :: worker.size]
    routes = _Routes(model.routing) if model.routing is not None else None
    loss = torch.zeros((), dtype=torch.float64)
    tally = torch.zeros(3, len(data.schema.classes) + 1, dtype=torch.int64)
    with evaluating(model):
        for i in range(0, len(rows), ROWS):
            batch = to_batch(data.take(rows[i : i + ROWS]), data.schema).to(worker.device)
            output = execution.predict(batch)
            logits = output.logits.float()
            loss += F.cross_entropy(logits, batch.target, reduction="sum", ignore_index=-1).double().cpu()
            tally += _tally(logits.argmax(-1).cpu(), batch.target.cpu(), tally.shape[1])
            if routes is not None:
                routes.add(output)
    loss, tally = execution.reduce(loss), execution.reduce(tally)
    figures = _figures(tally, float(loss), data.schema.classes)
    return figures | (routes.figures(execution) if routes is not None else {})


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


def _tally(answer: Tensor, target: Tensor, columns: int) -> Tensor:
    """(3, classes + 1) int64: rows of each class, right answers, answers; an unknown class is column 0, class i is i + 1."""
    right = target[answer == target]
    return torch.stack([torch.bincount(classes + 1, minlength=columns) for classes in (target, right, answer)])


def _figures(tally: Tensor, loss: float, classes: tuple[str, ...]) -> dict[str, Any]:
    rows, right, answers = tally
    unknown, there = int(rows[0]), rows[1:] > 0
    known = int(rows.sum()) - unknown
    if not known:
        raise RequestError(
            "data.source: no row of the validation split has a label that training rows have, to validate on"
        )
    given = answers[1:].nonzero()[:, 0].tolist()
    figures = {
        "accuracy": int(right.sum()) / int(rows.sum()),
        "accuracy_known": int(right.sum()) / known,
        "balanced_accuracy": float((right[1:][there].double() / rows[1:][there]).mean()),
        "loss": loss / known,
        "rows_unknown": unknown,
        "uneven": uneven(rows[1:].tolist()),
        "classes_answered": len(given),
    }
    return figures | ({"one_answer": classes[given[0]]} if len(given) == 1 < int(rows.sum()) else {})
