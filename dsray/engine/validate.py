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
    """Accuracy, loss, skip rate and routing on the validation split, the same on every worker."""
    data = worker.data
    rows = data.splits["validation"][worker.rank :: worker.size]
    was_training = model.training
    model.eval()
    sums, load, ran = torch.zeros(3, dtype=torch.float64), None, None
    for i in range(0, len(rows), ROWS):
        batch = to_batch(data.gather(rows[i : i + ROWS]), data.schema).to(worker.device)
        output = execution.predict(batch)
        logits = output.logits.float()
        right = (logits.argmax(-1) == batch.target).sum()
        loss = F.cross_entropy(logits, batch.target, reduction="sum", ignore_index=-1)
        sums += torch.stack([right.double().cpu(), loss.double().cpu(), torch.tensor(float(len(batch)))])
        depth = output.expert_load.shape[0]
        counts = torch.bincount(output.blocks_run.cpu(), minlength=depth + 1)
        load = output.expert_load.cpu() if load is None else load + output.expert_load.cpu()
        ran = counts if ran is None else ran + counts
    model.train(was_training)
    assert load is not None and ran is not None
    right, loss, total = execution.reduce(sums).tolist()
    load, ran = execution.reduce(load), execution.reduce(ran)
    executed = float((ran * torch.arange(len(ran))).sum()) / (total * (len(ran) - 1))
    return {
        "accuracy": right / total,
        "loss": loss / total,
        "skip_rate": 1 - executed,
        "expert_load": load.tolist(),
        "blocks_run": ran[1:].tolist(),
    }
