"""Batch: what flows from the data to the model, the attacks and the losses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of every input, aligned on the first axis.

    inputs: name of a tensor, `photo` or `visit/number` for one of several of an input -> (batch, *shape), as the spec of
        its kind says.
    target: (batch, *shape) as its kind encodes it, which tells the rows whose target is unknown from those that have none.
    rows: (batch,) int64 row ids; they seed all randomness that belongs to a row.
    epochs: (batch,) int64, how often each row has been drawn before; zeros outside training.
    present: input -> (batch,) bool; False where that input is missing.
    """

    inputs: dict[str, Tensor]
    target: Tensor
    rows: Tensor
    epochs: Tensor
    present: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def device(self) -> torch.device:
        return self.target.device

    def to(self, device: torch.device | str) -> Self:
        """The same rows on `device`."""
        return self._map(lambda t: t.to(device, non_blocking=True))

    def select(self, rows: Tensor) -> Self:
        """The rows at the given indices, or where a boolean mask is True."""
        return self._map(lambda t: t[rows])

    def with_input(self, name: str, values: Tensor) -> Self:
        """A copy in which one tensor is replaced."""
        return replace(self, inputs={**self.inputs, name: values})

    def without(self, name: str) -> Self:
        """A copy in which one input is hidden from the model."""
        hidden = torch.zeros(len(self), dtype=torch.bool, device=self.device)
        return replace(self, present={**self.present, name: hidden})

    def _map(self, f) -> Self:  # type: ignore[no-untyped-def]
        return replace(
            self,
            inputs={k: f(v) for k, v in self.inputs.items()},
            present={k: f(v) for k, v in self.present.items()},
            target=f(self.target),
            rows=f(self.rows),
            epochs=f(self.epochs),
        )


def concatenate(batches: list[Batch]) -> Batch:
    """The rows of several batches in one; a batch that does not say whether an input is present has it."""
    first = batches[0]
    masked = dict.fromkeys(k for b in batches for k in b.present)
    return Batch(
        inputs={k: torch.cat([b.inputs[k] for b in batches]) for k in first.inputs},
        present={
            k: torch.cat([b.present.get(k, torch.ones_like(b.rows, dtype=torch.bool)) for b in batches]) for k in masked
        },
        target=torch.cat([b.target for b in batches]),
        rows=torch.cat([b.rows for b in batches]),
        epochs=torch.cat([b.epochs for b in batches]),
    )
