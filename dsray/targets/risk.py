"""Risk against coverage (Geifman & El-Yaniv 2017): how many answers are wrong among the surest share of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """One point for each confidence that occurs, from the surest rows to all of them.

    confidence: (points,), falling; those at least so sure are answered. answered: (points,) int64, how many these are.
    wrong: (points,) int64, how many of them are wrong.
    """

    confidence: np.ndarray
    answered: np.ndarray
    wrong: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        """(points,) share of all rows that is answered."""
        return self.answered / self.answered[-1]

    @property
    def risk(self) -> np.ndarray:
        """(points,) share of wrong ones among those answered."""
        return self.wrong / self.answered

    @property
    def area(self) -> float:
        """Under risk against coverage (AURC): the mean, over the rows, of the risk of a row and all that are surer.

        Rows of one confidence are taken in no order: each of them adds its part of their wrong answers.
        """
        total = 0.0
        before, before_wrong = 0, 0
        for answered, wrong in zip(self.answered.tolist(), self.wrong.tolist(), strict=True):
            number = np.arange(1, answered - before + 1)
            share = (wrong - before_wrong) / (answered - before)
            total += float(((before_wrong + share * number) / (before + number)).sum())
            before, before_wrong = answered, wrong
        return total / before

    def points(self, most: int) -> list[list[float]]:
        """At most so many [coverage, risk], evenly over the rows, the last one of all rows."""
        steps = np.linspace(self.answered[-1] / most, self.answered[-1], most)
        places = np.unique(np.searchsorted(self.answered, steps.round().astype(np.int64)))
        return [[float(self.coverage[i]), float(self.risk[i])] for i in places]


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> Curve:
    """confidence: (rows,), of which there is one at least; what is not a number is less sure than all others.
    right: (rows,) bool."""
    sure = np.where(np.isnan(confidence), -np.inf, confidence)
    order = np.argsort(-sure, kind="stable")
    ordered, wrong = sure[order], np.cumsum(~right[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return Curve(ordered[last], last + 1, wrong[last])


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive row scores higher than another one, a tie counting as half (Mann & Whitney 1947).

    score: (rows,). positive: (rows,) bool, with rows of both kinds.
    """
    _, place, times = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(times) - (times - 1) / 2)[place]
    there, others = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - there * (there + 1) / 2) / (there * others))
