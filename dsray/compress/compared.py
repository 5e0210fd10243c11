"""Accuracy of the model and of its integer form on the same rows, and whether the model had anything to lose there."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsray.base.batch import Batch
from dsray.compress.onnx_model import Outputs


def compared(name: str, torch: Outputs, int8: Outputs, batch: Batch, classes: tuple[str, ...]) -> dict[str, Any]:
    """`NAME_torch` and `NAME_int8`, the accuracies on all rows, and `NAME_chance`: that of the best constant answer.

    Where the torch model gives every row the same answer, `NAME_one_answer` is its class.
    """
    target, answers = batch.target.numpy(), torch.logits.argmax(-1)
    figures: dict[str, Any] = {
        f"{name}_torch": float((answers == target).mean()),
        f"{name}_int8": float((int8.logits.argmax(-1) == target).mean()),
        f"{name}_chance": float(np.bincount(target[target >= 0], minlength=1).max() / len(target)),
    }
    given = np.unique(answers)
    return figures | ({f"{name}_one_answer": classes[given[0]]} if len(given) == 1 < len(target) else {})


def lost_points(figures: dict[str, Any], name: str) -> float:
    """Accuracy lost by the integer model, in points."""
    return float(100 * (figures[f"{name}_torch"] - figures[f"{name}_int8"]))
