"""The draws of a stage: which row stands where in which global batch. Needs no torch, so that data tasks start quickly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dsray.base.noise import key_of
from dsray.data.order import draw
from dsray.data.samplers import Sampler


@dataclass(frozen=True)
class Draws:
    """The global batches of a stage: a pure function of the step, the same on any number of workers.

    sampler: of the stage's own rows. memory: row ids of the replay memory. replayed: how many of each batch are
    drawn from it where it holds any.
    """

    seed: int
    stage: str
    sampler: Sampler
    batch: int
    memory: np.ndarray
    replayed: int

    def __call__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Row ids and epochs (both (batch,) int64) of global batch `step`; replayed rows come last."""
        old = self.replayed if len(self.memory) else 0
        new = self.batch - old
        rows, epochs = self.sampler(self.seed, self.stage, step * new, (step + 1) * new)
        if old:
            again, passes = draw(key_of(self.seed, "replay"), self.stage, self.memory, old, step)
            rows, epochs = np.concatenate([rows, again]), np.concatenate([epochs, passes])
        return rows, epochs

    def slice(self, first: int, last: int, rank: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Row ids and epochs of one worker for steps first..last-1, concatenated; `rank::size` of each batch."""
        pieces = [self(step) for step in range(first, last)]
        rows, epochs = zip(*((r[rank::size], e[rank::size]) for r, e in pieces), strict=True)
        return np.concatenate(rows), np.concatenate(epochs)

    def per_worker(self, rank: int, size: int) -> int:
        """Rows of each global batch that belong to worker `rank`."""
        return len(range(rank, self.batch, size))
