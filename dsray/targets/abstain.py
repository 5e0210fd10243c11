"""Answers that are refused: a row of which the model is not sure enough gets none (Chow 1970)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from dsray.base import Config, RequestError, RunFailure
from dsray.targets.risk import risk_coverage

FEWEST = 20
"""Validation rows without which no threshold is chosen."""


class WorkingPoint(Config):
    """Where refusal begins, and what it came to on the validation rows that it was chosen on."""

    threshold: float | None = Field(
        description="an answer of a lower confidence is refused; null: no threshold keeps to the error rate, so that every one is"
    )
    coverage: float = Field(description="share of the validation rows that were answered")
    error_rate: float | None = Field(description="share of wrong ones among those answers; null: there were none")
    rows: int = Field(description="validation rows, all of those with a target")

    def refuses(self, confidence: np.ndarray) -> np.ndarray:
        """(rows,) bool; a confidence that is not a number is refused."""
        return ~(confidence >= (math.inf if self.threshold is None else self.threshold))


class Abstain(Config):
    """By which of the two the threshold on the model's confidence is chosen, on validation rows."""

    coverage: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the validation rows that is answered, by the highest threshold that answers it",
    )
    error_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of wrong ones among the answers to validation rows at most, by the lowest threshold that keeps to it",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Abstain:
        if (self.coverage is None) == (self.error_rate is None):
            both = "not both" if self.coverage is not None else "a share between 0 and 1"
            raise ValueError(f"give one of coverage and error_rate, {both}")
        return self

    def check_rows(self, rows: int) -> None:
        """A RequestError where so many validation rows are too few to tell the share by."""
        name, share = ("coverage", self.coverage) if self.coverage is not None else ("error_rate", self.error_rate)
        assert share is not None
        rare = min(share, 1 - share) if name == "coverage" else share
        if rows < (needed := max(FEWEST, math.ceil(1 / rare - 1e-9))):
            raise RequestError(
                f"data.target.abstain.{name}: {share:g} needs at least {needed:,} validation rows with a target, and there "
                f"are {rows:,}; give more of them (data.validation), or another share"
            )

    def working_point(self, confidence: np.ndarray, right: np.ndarray) -> WorkingPoint:
        """The threshold by answers to validation rows. confidence: (rows,). right: (rows,) bool."""
        self.check_rows(len(right))
        curve = risk_coverage(confidence, right)
        if self.coverage is not None:
            place = int(np.searchsorted(curve.answered, self.coverage * len(right) - 1e-9))
        else:
            kept = np.flatnonzero(curve.risk <= self.error_rate)
            if not len(kept):
                return WorkingPoint(threshold=None, coverage=0.0, error_rate=None, rows=len(right))
            place = int(kept[-1])
        threshold = float(curve.confidence[place])
        if not math.isfinite(threshold):
            raise RunFailure(
                "data.target.abstain: the model's confidence is not a number on validation rows that would have to be answered"
            )
        return WorkingPoint(
            threshold=threshold,
            coverage=float(curve.coverage[place]),
            error_rate=float(curve.risk[place]),
            rows=len(right),
        )


def with_refusals(
    answers: Sequence[Mapping[str, Any]], refused: np.ndarray, withheld: Sequence[str]
) -> list[dict[str, Any]]:
    """The answers with `refused`, and nothing in the fields `withheld` of those that are. refused: (rows,) bool."""
    nothing = dict.fromkeys(withheld)
    return [
        {"refused": r, **answer, **(nothing if r else {})} for answer, r in zip(answers, refused.tolist(), strict=True)
    ]
