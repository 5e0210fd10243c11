"""The order of rows: a pure function of seed, stage and position, the same on any number of workers.

A worker takes `rank::size` of each global batch, so resuming at step 1,234 is an integer and not a replay.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from dsray.base.noise import key_of


def draw(seed: int, stage: str, pool: np.ndarray, batch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Row ids and epochs, both (batch,) int64, of global batch `step` of a stage.

    pool: (rows,) int64 row ids to draw from, each once an epoch in an order of that epoch's own.
    All batches are full: one may end an epoch and begin the next.
    """
    return draw_range(seed, stage, pool, batch, step, step + 1)


def draw_range(
    seed: int, stage: str, pool: np.ndarray, batch: int, first: int, last: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row ids and epochs of the global batches first..last-1, one after the other, ((last - first) * batch,) int64."""
    rows = len(pool)
    if not rows:
        raise ValueError(f"stage '{stage}' has no rows to draw from")
    position, end = first * batch, last * batch
    key = key_of(stage)
    ids, epochs = [], []
    while position < end:
        epoch, index = divmod(position, rows)
        taken = _permutation(seed, key, epoch, rows)[index : index + end - position]
        ids.append(pool[taken])
        epochs.append(np.full(len(taken), epoch, dtype=np.int64))
        position += len(taken)
    if not ids:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate(ids), np.concatenate(epochs)


@lru_cache(maxsize=8)
def _permutation(seed: int, stage: int, epoch: int, rows: int) -> np.ndarray:
    order = np.random.default_rng([seed, stage, epoch]).permutation(rows)
    order.flags.writeable = False
    return order


def steps_of(epochs: float, rows: int, batch: int) -> int:
    """Global batches, at least one, in which each of `rows` rows has been drawn `epochs` times."""
    return max(1, math.ceil(epochs * rows / batch - 1e-9))
