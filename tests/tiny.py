"""A model that is trained, compressed and written within a second or two, for tests of what comes after it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from dsray.compress import CompressConfig
from dsray.compress.compress import Rows, compress
from dsray.data import Prepared, draw, to_batch
from dsray.models import RoutedConfig


def write_tiny_artefact(digits: Prepared, folder: Path, steps: int = 40) -> Path:
    """Train for a few steps on the digits, quantise under a gate that anything passes; returns `folder`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        ids, _ = draw(0, "fit", digits.splits["train"], 64, step)
        batch = to_batch(digits.take(ids), digits.schema)
        optimizer.zero_grad()
        sum(F.cross_entropy(logits, batch.target) for logits in model(batch.inputs, batch.present).exits).backward()
        optimizer.step()
    split = {name: to_batch(digits.take(rows[:200]), digits.schema) for name, rows in digits.splits.items()}
    rows = Rows(split["train"], split["validation"], None, split["test"])
    compress(model.eval(), digits.schema, rows, CompressConfig(max_loss_points=100), folder)
    torch.set_num_threads(threads)
    return folder
