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

    def add_task(self, rows: np.ndarray, targets: np.ndarray, seed: int) -> None:
        """Remember a finished task and shrink the older ones to their new share.

        rows, targets: (n,) row ids of the task and their classes.
        """
        order = _class_balanced(rows, targets, key_of(seed, "memory", len(self.tasks)))
        self.tasks.append(order)
        share = self.size // len(self.tasks)
        self.tasks = [task[:share] for task in self.tasks]


def _class_balanced(rows: np.ndarray, targets: np.ndarray, key: int) -> np.ndarray:
    """All rows in an order whose every prefix is as balanced over the classes as it can be."""
    shuffled = np.random.default_rng(key).permutation(len(rows))
    rows, targets = rows[shuffled], targets[shuffled]
    turn = np.empty(len(rows), np.int64)
    for target in np.unique(targets):
        mine = targets == target
        turn[mine] = np.arange(mine.sum())
    return rows[np.lexsort((targets, turn))].astype(np.int64)
