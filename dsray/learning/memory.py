"""Replay memory: row ids of earlier tasks, balanced over tasks and classes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dsray.base.noise import key_of


@dataclass
class ReplayMemory:
    """At most `size` row ids; each task seen so far keeps an equal share, each class of a task an equal part of it."""

    size: int
    tasks: list[np.ndarray] = field(default_factory=list)

    @property
    def rows(self) -> np.ndarray:
        """All remembered row ids (int64), task after task."""
        return np.concatenate(self.tasks) if self.tasks else np.empty(0, np.int64)

    def add_task(self, rows: np.ndarray, strata: np.ndarray, seed: int) -> None:
        """Remember a finished task and shrink the older ones to their new share.

        rows, strata: (n,) row ids of the task, and the number of what each is kept balanced by, its class for instance.
        """
        order = _balanced(rows, strata, key_of(seed, "memory", len(self.tasks)))
        self.tasks.append(order)
        share = self.size // len(self.tasks)
        self.tasks = [task[:share] for task in self.tasks]


def _balanced(rows: np.ndarray, strata: np.ndarray, key: int) -> np.ndarray:
    """All rows in an order whose every prefix is as balanced over the strata as it can be."""
    shuffled = np.random.default_rng(key).permutation(len(rows))
    rows, strata = rows[shuffled], strata[shuffled]
    order, sizes = np.argsort(strata, kind="stable"), np.unique(strata, return_counts=True)[1]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows[np.lexsort((strata, turn))].astype(np.int64)
