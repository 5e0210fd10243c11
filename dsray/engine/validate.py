"""Validation during training: every worker takes its share of the rows, sums are reduced."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dsray.data import to_batch
from dsray.engine.executions import Execution
from dsray.engine.worker import Worker

ROWS = 256


def validation_line(model: nn.Module, worker: Worker, execution: Execution) -> dict[str, Any]:
    """Accuracy, loss, skip rate and routing on the validation split, the same on every worker.

    Accuracy and loss are means over the rows whose class is known. A worker may have no row at all.
    """
    data = worker.data
    rows = data.splits["validation"][worker.rank :: worker.size]
    trunk: Any = model.trunk
    depth = len(trunk.blocks)
    load = torch.zeros(depth, trunk.experts, dtype=torch.int64)
    ran = torch.zeros(depth + 1, dtype=torch.int64)
    sums = torch.zeros(3, dtype=torch.float64)
    was_training = model.training
    model.eval()
    for i in range(0, len(rows), ROWS):
        batch = to_batch(data.gather(rows[i : i + ROWS]), data.schema).to(worker.device)
        output = execution.predict(batch)
        logits = output.logits.float()
        right = (logits.argmax(-1) == batch.target).sum()
        loss = F.cross_entropy(logits, batch.target, reduction="sum", ignore_index=-1)
        known = (batch.target >= 0).sum()
        sums += torch.stack([right.double(), loss.double(), known.double()]).cpu()
        load += output.expert_load.cpu()
        ran += torch.bincount(output.blocks_run.cpu(), minlength=depth + 1)
    model.train(was_training)
    right, loss, known = execution.reduce(sums)
    load, ran = execution.reduce(load), execution.reduce(ran)
    executed = float((ran * torch.arange(depth + 1)).sum()) / (int(ran.sum()) * depth)
    return {
        "accuracy": float(right / known),
        "loss": float(loss / known),
        "skip_rate": 1 - executed,
        "expert_load": load.tolist(),
        "blocks_run": ran[1:].tolist(),
    }
