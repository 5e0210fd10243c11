"""A number, with an interval that holds the truth as often as it says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from dsray.base import RequestError, RunFailure
from dsray.base.spread import WIDEST
from dsray.inputs.tensor import TensorSpec
from dsray.targets.errors import errors_by_truth, truth_and_answer
from dsray.targets.numbers import (
    FARTHEST,
    as_numbers,
    centred,
    holds_numbers,
    refuse_infinite,
    told,
    tolerated,
    written,
)
from dsray.targets.target import Constant, TargetConfig, TargetSpec, Wording

if TYPE_CHECKING:
    from dsray.base.likelihood import Likelihood

FIELD = "data.target"
NEEDS = "numbers"
BINS = 10
"""Parts of the training rows, each with as many, that hold-out, memory and balanced sampling keep even."""
LEAST = 1e-5
"""Tolerance in standard deviations below which float32 decides what is right."""
SAME = 1e-3
"""Standard deviations within which all answers are one."""
SLACK = 1e-6
"""Standard deviations that float32 may be off by."""
FAR = 30.0
"""Standard deviations from the mean beyond which a single row decides squared errors, as does one that is half of them."""


class NumberTarget(TargetConfig):
    """A column of numbers: an amount, an age, a temperature."""

    asks: ClassVar[str] = "the number"
    kind: Literal["number"] = "number"
    tolerance: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="error up to which an answer is right, in units of the column; accuracy, early exits and attacks go by "
        "it; null: half the standard deviation of the training rows",
    )
    coverage: float = Field(
        0.9, gt=0, lt=1, description="share of rows whose interval holds the truth, calibrated on the validation rows"
    )

    @classmethod
    def gives(cls) -> type[NumberSpec]:
        return NumberSpec

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_numbers(kind) else NEEDS

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        """Tenths of the rows by value; fewer parts where these would be of less than twenty rows."""
        values = as_numbers(column)
        edges = _edges(values[np.isfinite(values)], max(1, min(BINS, len(values) // 20)))
        return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1].astype(np.int64)

    def fit(self, train: pa.Table) -> NumberSpec:
        values = as_numbers(train.column(self.column))
        mean, scale = centred(values, self.column, FIELD)
        tolerance = scale / 2 if self.tolerance is None else self.tolerance
        if tolerance < LEAST * scale:
            raise RequestError(
                f"{FIELD}.tolerance: must be at least a 100,000th of the standard deviation of column '{self.column}', "
                f"{LEAST * scale:g}; got {tolerance:g}"
            )
        return NumberSpec(
            column=self.column,
            mean=mean,
            scale=scale,
            low=float(values.min()),
            high=float(values.max()),
            edges=tuple(_edges((values - mean) / scale, BINS).tolist()),
            tolerance=tolerance,
            coverage=self.coverage,
        )

    def learnt(self, spec: TargetSpec) -> bool:
        if not isinstance(spec, NumberSpec) or (spec.column, spec.coverage) != (self.column, self.coverage):
            return False
        return self.tolerance is None or spec.tolerance == self.tolerance


class NumberAnswer(BaseModel):
    """A number for each instance."""

    value: float = Field(description="the estimate, in units of the column")
    low: float | None = Field(description="where the interval begins that holds the truth as often as `coverage` says")
    high: float | None = Field(description="where it ends")
    confidence: float = Field(description="probability, in [0, 1], that the truth is within the tolerance of the value")


class NumberSpec(TargetSpec):
    """A number as it is learnt: less `mean`, in units of `scale`, those of the training rows.

    low, high: of the training rows. edges: between parts of them with as many rows each, standardised. tolerance: in
    units of the column. interval: half the width of the interval in standard deviations that the model tells, once it
    was calibrated.
    """

    kind: Literal["number"] = "number"
    mean: float = Field(allow_inf_nan=False)
    scale: float = Field(gt=0, allow_inf_nan=False)
    low: float
    high: float
    edges: tuple[float, ...]
    tolerance: float = Field(gt=0)
    coverage: float = Field(gt=0, lt=1)
    interval: float | None = Field(None, ge=0, allow_inf_nan=False)

    chosen: ClassVar[tuple[str, ...]] = ("interval",)
    wording: ClassVar[Wording] = Wording("number")
    figures: ClassVar[tuple[str, ...]] = ("mae", "rmse", "r2", "interval_coverage", "interval_width")
    answer: ClassVar[type[BaseModel]] = NumberAnswer

    @property
    def tensor(self) -> TensorSpec:
        return TensorSpec((), "float32")

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_numbers(kind) else NEEDS

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """Standardised in float64, so that whole numbers beyond 2^24 keep their differences; then float32."""
        values = as_numbers(column)
        refuse_infinite(values, self.column, FIELD)
        found = (values - self.mean) / self.scale
        if (far := np.abs(found) > FARTHEST).any():
            raise RequestError(
                f"{FIELD}: column '{self.column}' holds {values[far][0]:g}, which float32 does not hold in standard "
                f"deviations ({self.scale:g}) of the training rows; give it in their units, or null"
            )
        return found.astype(np.float32)

    def of_file(self, table: pa.Table, where: str) -> pa.Table:
        refuse_infinite(as_numbers(table.column(self.column)), self.column, where)
        return table

    def unlabelled(self, rows: int) -> np.ndarray:
        return np.full(rows, np.nan, dtype=np.float32)

    def labelled(self, target: np.ndarray) -> np.ndarray:
        return ~np.isnan(target)

    def known(self, target: np.ndarray) -> np.ndarray:
        return ~np.isnan(target)

    def strata(self, target: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.array(self.edges), target, side="right").astype(np.int64)

    def counts(self, target: np.ndarray) -> np.ndarray:
        return np.bincount(self.strata(target[self.known(target)]), minlength=len(self.edges) + 1)

    def where(self, target: np.ndarray, names: Sequence[str], field: str) -> np.ndarray:
        raise RequestError(
            f"{field}: column '{self.column}' holds numbers, not classes; choose rows by a column instead"
        )

    @property
    def outputs(self) -> int:
        return 2

    def likelihood(self) -> Likelihood:
        from dsray.likelihoods.number import Number

        return Number(self.tolerance / self.scale, self.scale, self.interval)

    def check_rows(self, rows: int) -> None:
        super().check_rows(rows)
        if rows < (least := math.ceil(1 / (1 - self.coverage) - 1e-9) - 1):
            raise RequestError(
                f"{FIELD}.coverage: an interval for {100 * self.coverage:g} % of the rows needs {least} validation rows with "
                f"a number, and there are {rows}; give more (data.validation), or a smaller coverage"
            )

    def choose(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """The interval by split conformal prediction (Lei et al. 2018): a quantile of the errors, each in standard
        deviations that the model tells of its row."""
        center, spread = _parts(logits)
        residual = np.sort(np.abs(target - center) / spread)
        self.check_rows(len(residual))
        rank = math.ceil((len(residual) + 1) * self.coverage - 1e-9)
        if not math.isfinite(found := float(residual[rank - 1])):
            raise RunFailure(
                "calibration: the model's answers to validation rows are no numbers; train at a lower rate"
            )
        return {"interval": found}

    def weights(self, given: str | Mapping[str, float], counts: np.ndarray, field: str) -> np.ndarray:
        raise RequestError(f"{field}: a target of kind {self.kind} has no classes to weigh; draw its rows by a sampler")

    def check_loss(self, *, smoothing: float, focal: float) -> None:
        for field, given in (("label_smoothing", smoothing), ("focal", focal)):
            if given:
                raise RequestError(
                    f"{field}: a target of kind {self.kind} has no other answers; leave it at 0, not {given:g}"
                )

    def own_figure(self, counts: np.ndarray) -> str:
        return "mae"

    def answers(self, logits: np.ndarray) -> list[dict[str, Any]]:
        center, spread = _parts(logits)
        value, unit = self.mean + self.scale * center, self.scale * spread
        half = [None] * len(value) if self.interval is None else (self.interval * unit).tolist()
        return [
            {
                "value": v,
                "low": None if h is None else v - h,
                "high": None if h is None else v + h,
                "confidence": math.erf(self.tolerance / (math.sqrt(2) * u)),
            }
            for v, h, u in zip(value.tolist(), half, unit.tolist(), strict=True)
        ]

    def right(self, answers: Sequence[Mapping[str, Any]], target: np.ndarray) -> np.ndarray:
        given = (np.array([answer["value"] for answer in answers]) - self.mean) / self.scale
        return np.abs(given.astype(np.float32) - target) <= np.float32(self.tolerance / self.scale)

    def right_where(self) -> str:
        return f"within {tolerated(self.tolerance, self.scale)} of the truth"

    def predictions(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        names = {"prediction": "value", "low": "low", "high": "high", "confidence": "confidence"}
        return {name: pa.array([answer[key] for answer in answers], pa.float64()) for name, key in names.items()}

    def show(self, target: np.ndarray) -> float | None:
        z = float(target)
        return None if math.isnan(z) else told(self.mean + self.scale * z, self.scale * max(1.0, abs(z)))

    def show_target(self, target: np.ndarray) -> str | None:
        found = self.show(target)
        return None if found is None else written(found, self.scale)

    def show_answer(self, answer: Mapping[str, Any]) -> str:
        value = written(answer["value"], self.scale)
        if answer["low"] is None:
            return value
        return f"{value} ({written(answer['low'], self.scale)} to {written(answer['high'], self.scale)})"

    def about(self) -> dict[str, Any]:
        return {"tolerance": self.tolerance, "coverage": self.coverage, "range": [self.low, self.high]}

    def asked(self) -> str:
        return f"a number with its interval ({written(self.low, self.scale)} to {written(self.high, self.scale)} in training)"

    def rows(self, target: np.ndarray) -> dict[str, str]:
        there = target[self.known(target)].astype(np.float64)
        low, high, mean = (
            written(self.mean + self.scale * z, self.scale) for z in (there.min(), there.max(), there.mean())
        )
        spread = written(self.scale * there.std(), self.scale)
        return {"mean": mean, "standard deviation": spread, "range": f"{low} to {high}"}

    def remarks(self, targets: Mapping[str, np.ndarray]) -> Iterator[str]:
        farthest = float(np.abs(targets["train"]).max())
        if farthest > FAR or farthest**2 > len(targets["train"]) / 2:
            yield (
                f"column '{self.column}' holds a number {farthest:,.0f} standard deviations from the mean of the training "
                "rows; such rows decide rmse and r2, and mae says more"
            )
        for split in ("validation", "test"):
            there = self.mean + self.scale * targets[split].astype(np.float64)
            slack = SLACK * self.scale
            if outside := int(((there < self.low - slack) | (there > self.high + slack)).sum()):
                yield (
                    f"{outside:,} {split} row{'' if outside == 1 else 's'} hold{'s' if outside == 1 else ''} a number outside "
                    f"the range of the training rows, {written(self.low, self.scale)} to {written(self.high, self.scale)}"
                )

    def none_known(self, split: str, column: pa.ChunkedArray) -> str:
        return f"no {split} row has a number in column '{self.column}'; give {split} rows with one"

    def constant(self, target: np.ndarray, logits: np.ndarray) -> Constant:
        there = np.sort(target[self.known(target)].astype(np.float64))
        last = np.searchsorted(there, there + 2 * self.tolerance / self.scale + SLACK, side="right")
        most = int((last - np.arange(len(there))).max(initial=0))
        same = len(logits) > 1 and float(np.ptp(logits[:, 0])) < SAME
        given = written(self.mean + self.scale * float(logits[0, 0]), self.scale) if same else None
        return Constant(most / len(target), given)

    def detail(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        center, spread = _parts(logits)
        truth, answer = (self.mean + self.scale * values for values in (target.astype(np.float64), center))
        half = None if self.interval is None else self.interval * self.scale * spread
        one = self.constant(target, logits).given
        return {
            **({} if one is None else {"one_answer": one}),
            "tables": [errors_by_truth(truth, answer, half, self.tolerance, self.scale)],
            "heat_maps": [truth_and_answer(truth, answer, self.tolerance, self.scale)],
        }


def _edges(values: np.ndarray, parts: int) -> np.ndarray:
    """What divides the values into parts of as many rows, fewer where one value is that of several."""
    if not len(values):
        return np.empty(0)
    found = np.unique(np.quantile(values, np.arange(1, parts) / parts))
    return found[found > values.min()]


def _parts(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) float64 each: mean and standard deviation, both standardised, as the likelihood reads the two numbers."""
    center, log = logits.astype(np.float64).T
    return center, np.exp(WIDEST * np.tanh(log / WIDEST))
