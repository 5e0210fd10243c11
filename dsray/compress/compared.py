"""Accuracy of the model and of its integer form on the same rows, and whether the model had anything to lose there."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from dsray.base.batch import Batch
from dsray.compress.onnx_model import Outputs
from dsray.targets import TargetSpec


class Targets(NamedTuple):
    """The target as each model was calibrated for it by its own answers."""

    torch: TargetSpec
    int8: TargetSpec


def compared(name: str, own: Outputs, int8: Outputs, batch: Batch, targets: Targets) -> dict[str, Any]:
    """`NAME_torch` and `NAME_int8`, the accuracies on all rows, and `NAME_chance`: that of the best constant answer.

    Where the torch model (own) gives every row the same answer, `NAME_one_answer` is what it says.
    """

    def accuracy(outputs: Outputs, target: TargetSpec) -> float:
        wrong = target.likelihood().wrong(torch.from_numpy(outputs.logits), batch.target)
        return float((~wrong).double().mean())

    constant = targets.torch.constant(batch.target.numpy(), own.logits)
    figures: dict[str, Any] = {
        f"{name}_torch": accuracy(own, targets.torch),
        f"{name}_int8": accuracy(int8, targets.int8),
        f"{name}_chance": constant.accuracy,
    }
    return figures | ({f"{name}_one_answer": constant.given} if constant.given is not None else {})


ANSWERED = ("coverage", "accuracy_answered")
"""What `answered` tells."""


def answered(int8: Outputs, batch: Batch, target: TargetSpec) -> dict[str, Any]:
    """`coverage_int8`, and `accuracy_answered_int8` where anything is answered.

    target: as it was calibrated for the integer model.
    """
    kept = ~target.refused(int8.logits)
    right = ~target.likelihood().wrong(torch.from_numpy(int8.logits), batch.target).numpy()
    figures: dict[str, Any] = {"coverage_int8": float(kept.mean())}
    return figures | ({"accuracy_answered_int8": float(right[kept].mean())} if kept.any() else {})


def lost_points(figures: dict[str, Any], name: str) -> float:
    """Accuracy lost by the integer model, in points."""
    return float(100 * (figures[f"{name}_torch"] - figures[f"{name}_int8"]))
