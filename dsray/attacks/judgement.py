"""A judgement: which rows stood, against which attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dsray.base.batch import Batch, concatenate

_REASONS = ("unknown", "unmoved", "climbed", "blind", "searched")


@dataclass(frozen=True)
class Judgement:
    """The judgement of n rows.

    input: what was moved. element: what one of its values is called: `pixel`. rows: (n,) row ids. clean_correct: (n,)
    bool, right without an attack. survived: attack -> (n,) bool, right before and under it; an attack runs only on rows
    that still stand. adversarial: the worst case found of each row (the clean row where nothing worked), None unless
    asked for.

    Why a row may stand without meaning much, each (n,) bool: unknown, of a class that the model does not know, which is
    wrong whatever happens; unmoved, without the input, right or wrong as it stands; climbed, a gradient was asked of it;
    blind, and each of these gradients was zero in every element; searched, an attack that needs no gradient ran on it.
    """

    input: str
    element: str
    epsilon: float
    rows: np.ndarray
    clean_correct: np.ndarray
    survived: dict[str, np.ndarray]
    unknown: np.ndarray
    unmoved: np.ndarray
    climbed: np.ndarray
    blind: np.ndarray
    searched: np.ndarray
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
        """Share of all rows that no attack moves to a wrong answer."""
        return float(self.robust.mean())

    @property
    def robust_accuracy_known(self) -> float:
        """The same of the rows whose class the model knows."""
        return float(self.robust[~self.unknown].mean())

    @property
    def blind_alone(self) -> bool:
        """Rows stand only because no gradient attack had a gradient on any row, and no other attack ran."""
        return bool(
            self.climbed.any() and self.blind[self.climbed].all() and self.robust.any() and not self.searched.any()
        )

    @property
    def per_attack(self) -> dict[str, float]:
        """Share of rows still right after this attack and those before it."""
        return {name: float(stood.mean()) for name, stood in self.survived.items()}

    @classmethod
    def merge(cls, parts: Sequence[Judgement]) -> Judgement:
        """The judgement of all rows from those of its shards."""
        first = parts[0]
        kept = [part.adversarial for part in parts if part.adversarial is not None]
        return cls(
            input=first.input,
            element=first.element,
            epsilon=first.epsilon,
            rows=np.concatenate([part.rows for part in parts]),
            clean_correct=np.concatenate([part.clean_correct for part in parts]),
            survived={name: np.concatenate([part.survived[name] for part in parts]) for name in first.survived},
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _REASONS},
            adversarial=concatenate(kept) if len(kept) == len(parts) else None,
        )
