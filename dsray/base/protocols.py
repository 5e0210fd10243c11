"""The interfaces that plug-ins satisfy; implementations live in the packages above and never import each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from torch import Tensor, nn

from dsray.base.batch import Batch

Classifier = Callable[[Batch], Tensor]
"""Batch -> logits (batch, outputs), differentiable in the inputs."""

RowLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, outputs), target (batch, *shape)) -> loss per row (batch,); what an attack climbs."""

Columns = dict[str, np.ndarray]
"""Column -> array, rows on the first axis; `row` and `epoch` int64 identify each row's draw."""


@dataclass(frozen=True)
class Output:
    """What a model says of a batch.

    logits: (batch, outputs), of the exit that each row took.
    exits: logits (batch, outputs) of every exit head in order of depth, the last one final; empty where rows were
        allowed to leave early.
    blocks_run: (batch,) int64, trunk blocks that were computed for each row; None of a model that routes nothing.
    expert_load: (blocks, experts) int64, how many choices fell on each expert; None of a model that routes nothing.
    """

    logits: Tensor
    exits: tuple[Tensor, ...]
    blocks_run: Tensor | None = None
    expert_load: Tensor | None = None


class Operation(Protocol):
    """Augments one batch of columns. Random work is seeded by (key, row, epoch); rows stay as they are.

    The runner in `dsray.augment` checks that columns, dtypes and row counts are kept.
    """

    def __call__(self, columns: Columns, key: int) -> Columns: ...


class Term(Protocol):
    """A loss: context of the step -> loss per row (batch,)."""

    def __call__(self, context: Any) -> Tensor: ...


class Policy(Protocol):
    """Metrics so far -> what should happen; pure, the loop acts."""

    def __call__(self, history: list[dict[str, float]]) -> Any: ...


def as_classifier(model: nn.Module | Classifier, tensors: Sequence[str] | None = None) -> Classifier:
    """Any module as a `Classifier`: a routed model reads the whole batch, any other module the named tensors, all unless given."""
    classify = getattr(model, "classify", None)
    if classify is not None:
        return cast(Classifier, classify)
    if isinstance(model, nn.Module):
        return lambda batch: model(*(batch.inputs[name] for name in tensors or batch.inputs))
    return model


def first_input(model: nn.Module | Classifier) -> str:
    """What a bare tensor is taken for: the first input of a routed model; for another module any name will do."""
    encoders = getattr(model, "encoders", None)
    return next(iter(encoders), "input") if isinstance(encoders, nn.ModuleDict) else "input"
