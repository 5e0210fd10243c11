"""Facts: what a stage knows of its rows before its first step. No torch, so that data tasks start quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsray.base.figures import figure
from dsray.data.prepared import Prepared
from dsray.data.schema import Schema


@dataclass(frozen=True, eq=False)
class Facts:
    """What terms, policies and samplers are told when a stage builds them.

    counts: (n,) int64, read-only: training rows of each class (as `TargetSpec.counts` tells) among the stage's own, replayed
        ones not counted.
    steps: of the stage, at the most.
    """

    schema: Schema
    counts: np.ndarray
    steps: int

    def __post_init__(self) -> None:
        counts = np.array(self.counts, np.int64)
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    @classmethod
    def of(cls, data: Prepared, rows: np.ndarray, steps: int) -> Facts:
        """The facts of a stage that trains `steps` steps on the row ids `rows`."""
        return cls(data.schema, data.schema.target.counts(data.columns["target"][rows]), steps)

    @property
    def figure(self) -> str:
        """The figure of a validation that the target calls its own."""
        return self.schema.target.own_figure(self.counts)

    def gain(self, name: str) -> Callable[[float], float]:
        """What turns values of a figure of the validations so that more is better."""
        return figure(name, self.schema.target.own_figures).gain
