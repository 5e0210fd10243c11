"""A kind of target of a package that is not dsray: grades in an order, some of which are farther from the truth than others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional as F

from dsray.base import RequestError, nearest
from dsray.base.figures import Figure
from dsray.base.likelihood import Likelihood
from dsray.inputs import TensorSpec
from dsray.targets import TargetConfig, TargetSpec
from dsray.targets.target import Constant

UNKNOWN, NONE = -1, -2


class GradesTarget(TargetConfig):
    """A column of words that stand for grades, from the lowest to the highest."""

    asks: ClassVar[str] = "the grade"
    kind: Literal["foreign_ordinal:GradesTarget"] = "foreign_ordinal:GradesTarget"
    order: tuple[str, ...] = Field(min_length=2, description="the grades, the lowest first")

    @classmethod
    def gives(cls) -> type[GradesSpec]:
        return GradesSpec

    def fault(self, kind: pa.DataType) -> str | None:
        return None if pa.types.is_string(kind) else "words"

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        return np.maximum(_encoded(column, self.order), 0)

    def fit(self, train: pa.Table) -> GradesSpec:
        column = train.column(self.column)
        if column.null_count:
            raise RequestError(
                f"data.target: column '{self.column}' is null in {column.null_count} training rows; remove them"
            )
        strange = column.filter(pc.invert(pc.is_in(column, pa.array(self.order))))
        if len(strange):
            raise RequestError(
                f"data.target.order: lacks the grade '{strange[0]}' of a training row; {nearest(str(strange[0]), self.order)}"
            )
        return GradesSpec(column=self.column, order=self.order)

    def learnt(self, spec: TargetSpec) -> bool:
        return isinstance(spec, GradesSpec) and (spec.column, spec.order) == (self.column, self.order)


class GradeAnswer(BaseModel):
    """A grade for each instance."""

    grade: str = Field(description="the grade in the middle: as likely too low as too high")
    confidence: float = Field(description="its probability, in [0, 1]")
    expected: float = Field(description="mean of the grade's number, 0 for the lowest")
    distance: float = Field(description="how many grades the answer is expected to be off")


class GradesSpec(TargetSpec):
    """Grades in their order: (rows,) int64, the number of the grade, 0 for the lowest."""

    kind: Literal["foreign_ordinal:GradesSpec"] = "foreign_ordinal:GradesSpec"
    order: tuple[str, ...]

    figures: ClassVar[tuple[str, ...]] = ("quadratic_kappa", "mean_distance")
    own_figures: ClassVar[tuple[Figure, ...]] = (
        Figure("quadratic_kappa", "weighted kappa", "score", "higher", watched=True),
        Figure("mean_distance", "mean distance in grades", "number", "lower", watched=True),
    )
    answer: ClassVar[type[BaseModel]] = GradeAnswer

    @property
    def tensor(self) -> TensorSpec:
        return TensorSpec((), "int64", ids=len(self.order))

    def fault(self, kind: pa.DataType) -> str | None:
        return None if pa.types.is_string(kind) else "words"

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        return _encoded(column, self.order)

    def unlabelled(self, rows: int) -> np.ndarray:
        return np.full(rows, NONE, np.int64)

    def labelled(self, target: np.ndarray) -> np.ndarray:
        return target != NONE

    def known(self, target: np.ndarray) -> np.ndarray:
        return target >= 0

    def strata(self, target: np.ndarray) -> np.ndarray:
        return target

    @property
    def strata_names(self) -> tuple[str, ...]:
        return self.order

    def where(self, target: np.ndarray, names: Sequence[str], field: str) -> np.ndarray:
        for name in names:
            if name not in self.order:
                raise RequestError(f"{field}: unknown grade '{name}'; {nearest(name, list(self.order))}")
        return np.isin(target, [self.order.index(name) for name in names])

    @property
    def outputs(self) -> int:
        return len(self.order) - 1

    def likelihood(self) -> Grades:
        return Grades(len(self.order))

    def weights(self, given: str | Mapping[str, float], counts: np.ndarray, field: str) -> np.ndarray:
        if isinstance(given, str):
            return (counts.sum() / np.maximum(counts, 1) / len(counts)).astype(np.float32)
        for name in given:
            if name not in self.order:
                raise RequestError(f"{field}.{name}: there is no such grade; {nearest(name, list(self.order))}")
        return np.array([given.get(name, 1.0) for name in self.order], np.float32)

    def own_figure(self, counts: np.ndarray) -> str:
        return "quadratic_kappa"

    def answers(self, logits: np.ndarray) -> list[dict[str, Any]]:
        cuts = np.cumsum(np.concatenate([logits[:, :1], -_step(logits[:, 1:])], 1), 1)
        above = 1 / (1 + np.exp(-cuts))
        ends = np.concatenate([np.ones((len(logits), 1)), above, np.zeros((len(logits), 1))], 1)
        chances, given = ends[:, :-1] - ends[:, 1:], (cuts > 0).sum(1)
        away = np.abs(np.arange(len(self.order)) - given[:, None])
        return [
            {
                "grade": self.order[grade],
                "confidence": float(chance[grade]),
                "expected": float(over.sum()),
                "distance": float((chance * far).sum()),
            }
            for grade, chance, over, far in zip(given, chances, above, away, strict=True)
        ]

    def right(self, answers: Sequence[Mapping[str, Any]], target: np.ndarray) -> np.ndarray:
        return np.array([self.order.index(answer["grade"]) for answer in answers], np.int64) == target

    def predictions(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        named = {"prediction": "grade", "confidence": "confidence", "expected_distance": "distance"}
        return {column: pa.array([answer[field] for answer in answers]) for column, field in named.items()}

    def show(self, target: np.ndarray) -> str | None:
        return self.order[int(target)] if target >= 0 else None

    def show_answer(self, answer: Mapping[str, Any]) -> str:
        return str(answer["grade"])

    def about(self) -> dict[str, Any]:
        return {"grades": list(self.order)}

    def asked(self) -> str:
        return f"a grade, {' < '.join(self.order)}"

    def rows(self, target: np.ndarray) -> dict[str, str]:
        counts = self.counts(target)
        return {"rows of each grade": ", ".join(f"{n} {k:,}" for n, k in zip(self.order, counts, strict=True))}

    def counts(self, target: np.ndarray) -> np.ndarray:
        return np.bincount(target[target >= 0], minlength=len(self.order))

    def remarks(self, targets: Mapping[str, np.ndarray]) -> Iterator[str]:
        if lacking := [self.order[i] for i in np.flatnonzero(self.counts(targets["train"]) == 0)]:
            yield f"no training row has the grade {', '.join(lacking)}"

    def none_known(self, split: str, column: pa.ChunkedArray) -> str:
        return f"no {split} row has one of the grades {', '.join(self.order)}; give some"

    def constant(self, target: np.ndarray, logits: np.ndarray) -> Constant:
        best = self.counts(target).max() / len(target)
        given = np.unique([answer["grade"] for answer in self.answers(logits)])
        return Constant(float(best), str(given[0]) if len(given) == 1 < len(target) else None)

    def detail(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = target >= 0
        off = np.abs([self.order.index(answer["grade"]) for answer in self.answers(logits[known])] - target[known])
        rows = [[f"{n} off", int((off == n).sum())] for n in range(len(self.order))]
        return {
            "tables": [
                {"title": "Grades off the truth", "columns": [["distance", None], ["rows", "count"]], "rows": rows}
            ]
        }


class Grades(Likelihood):
    """A cumulative link model (McCullagh 1980): cut j is the log odds of a grade above j; cuts fall by at least `LEAST`.

    target: (batch,) int64. The first number is the first cut, the others are steps down from it before softplus. The
    answer is the median, the grade that has the least expected distance.
    """

    def __init__(self, grades: int):
        self.grades = grades

    @property
    def outputs(self) -> int:
        return self.grades - 1

    def known(self, target: Tensor) -> Tensor:
        return target >= 0

    def cuts(self, logits: Tensor) -> Tensor:
        """(batch, grades - 1), falling."""
        return torch.cat([logits[:, :1], -F.softplus(logits[:, 1:]) - LEAST], 1).cumsum(1)

    def log_chances(self, logits: Tensor) -> Tensor:
        """(batch, grades): log of sigmoid(upper) - sigmoid(lower), the cuts around each grade, without cancellation."""
        cuts = self.cuts(logits)
        between = F.logsigmoid(cuts[:, :-1]) + F.logsigmoid(-cuts[:, 1:])
        between = between + torch.log1p(-torch.exp(cuts[:, 1:] - cuts[:, :-1]))
        return torch.cat([F.logsigmoid(-cuts[:, :1]), between, F.logsigmoid(cuts[:, -1:])], 1)

    def answer(self, logits: Tensor) -> Tensor:
        """(batch,) int64."""
        return (self.cuts(logits) > 0).sum(1)

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        focal: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        true = -self.log_likelihood(logits, target)
        found = (1 - smoothing) * true - smoothing * self.log_chances(logits).mean(1)
        found = found if focal <= 0 else (1 - torch.exp(-true)) ** focal * found
        found = found if weights is None else weights[target.clamp(min=0)] * found
        return torch.where(target >= 0, found, 0.0)

    def log_likelihood(self, logits: Tensor, target: Tensor) -> Tensor:
        chosen = self.log_chances(logits).gather(1, target.clamp(min=0)[:, None])[:, 0]
        return torch.where(target >= 0, chosen, 0.0)

    def divergence(self, clean: Tensor, logits: Tensor) -> Tensor:
        one, other = self.log_chances(clean), self.log_chances(logits)
        return (one.exp() * (one - other)).sum(1)

    def wrong(self, logits: Tensor, target: Tensor) -> Tensor:
        return (self.answer(logits) != target) | torch.isnan(logits).any(1)

    def margin(self, logits: Tensor, target: Tensor) -> Tensor:
        """How far the nearer of the cuts around the true grade lies on its wrong side."""
        cuts, place = self.cuts(logits), target[:, None]
        low = (-cuts).gather(1, (place - 1).clamp(min=0)).where(place > 0, float("-inf"))
        high = cuts.gather(1, place.clamp(max=self.grades - 2)).where(place < self.grades - 1, float("-inf"))
        return torch.maximum(low, high)[:, 0]

    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        return (torch.sigmoid(self.cuts(logits)) > uniform[:, None]).sum(1)

    def confidence(self, logits: Tensor) -> Tensor:
        return self.log_chances(logits).exp().gather(1, self.answer(logits)[:, None])[:, 0]

    def tally(self, logits: Tensor, target: Tensor) -> Tensor:
        """(grades, grades) flat: rows of each grade by the grade that is answered."""
        known = target >= 0
        pairs = target[known] * self.grades + self.answer(logits[known])
        return torch.bincount(pairs, minlength=self.grades**2).double()

    def figures(self, tally: Tensor) -> dict[str, float]:
        """quadratic_kappa (Cohen 1968): 1 for the truth, 0 for what chance gives; mean_distance in grades."""
        seen, grade = tally.reshape(self.grades, self.grades), torch.arange(self.grades, dtype=torch.float64)
        off = (grade[:, None] - grade).abs()
        chance = seen.sum(1)[:, None] * seen.sum(0) / seen.sum()
        return {
            "quadratic_kappa": float(1 - (off**2 * seen).sum() / (off**2 * chance).sum()),
            "mean_distance": float((off * seen).sum() / seen.sum()),
        }

    def said(self, tally: Tensor) -> dict[str, Any]:
        return {"own_figure": "quadratic_kappa"}


LEAST = 1e-3
"""The least step between two cuts, so that no grade has the probability 0."""


def _step(values: np.ndarray) -> np.ndarray:
    return np.logaddexp(values, 0) + LEAST


def _encoded(column: pa.ChunkedArray, order: Sequence[str]) -> np.ndarray:
    values = column.combine_chunks()
    found = pc.index_in(values, value_set=pa.array(order, pa.string()), skip_nulls=True)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, NONE, found.fill_null(UNKNOWN).to_numpy()).astype(np.int64)
