"""Robustness: which rows stood, against which attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dsray.batch import Batch, concatenate


@dataclass(frozen=True)
class Robustness:
    """The judgement of n rows.

    rows: (n,) row ids. clean_correct: (n,) bool, right without an attack. survived: attack -> (n,) bool, right
    before and under it; an attack runs only on rows that still stand. adversarial: the worst case found of each row
    (the clean row where nothing worked), None unless asked for.
    """

    epsilon: float
    rows: np.ndarray
    clean_correct: np.ndarray
    survived: dict[str, np.ndarray]
    adversarial: Batch | None = None

    @property
    def robust(self) -> np.ndarray:
        """(n,) bool: right when clean and under every attack."""
        return np.logical_and.reduce([self.clean_correct, *self.survived.values()])

    @property
    def clean_accuracy(self) -> float:
        """Share of rows that are right without an attack."""
        return float(self.clean_correct.mean())

    @property
    def robust_accuracy(self) -> float:
        """Share of rows that no attack moves to a wrong answer."""
        return float(self.robust.mean())

    @property
    def per_attack(self) -> dict[str, float]:
        """Share of rows still right after this attack and those before it."""
        return {name: float(stood.mean()) for name, stood in self.survived.items()}

    @classmethod
    def merge(cls, parts: Sequence[Robustness]) -> Robustness:
        """The judgement of all rows from those of its shards."""
        first = parts[0]
        kept = [part.adversarial for part in parts if part.adversarial is not None]
        return cls(
            epsilon=first.epsilon,
            rows=np.concatenate([part.rows for part in parts]),
            clean_correct=np.concatenate([part.clean_correct for part in parts]),
            survived={name: np.concatenate([part.survived[name] for part in parts]) for name in first.survived},
            adversarial=concatenate(kept) if len(kept) == len(parts) else None,
        )
