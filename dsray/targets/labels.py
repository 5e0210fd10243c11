"""Several labels at once, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from dsray.base import RequestError, nearest
from dsray.inputs.tensor import TensorSpec
from dsray.targets.per_label import labels_detail, rare_labels, single_labels
from dsray.targets.sets import NEEDS, Pairs, holds_sets, label_names, pairs_of, rarest
from dsray.targets.target import Constant, TargetConfig, TargetSpec, Wording
from dsray.targets.thresholds import FEWEST, best_thresholds, cuts_of

if TYPE_CHECKING:
    from dsray.base.likelihood import Likelihood

FIELD = "data.target"
UNKNOWN = -1.0
SHOWN = 5
"""Labels whose probability an answer tells."""
_SEPARATOR = Field(";", min_length=1, description="between the labels where the column holds words; lists need none")


class LabelsTarget(TargetConfig):
    """A column of label sets: lists, or text with a separator. An empty one is a row without labels, null is no target."""

    asks: ClassVar[str] = "the labels"
    kind: Literal["labels"] = "labels"
    separator: str = _SEPARATOR
    threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="probability above which a label is given; null: for each label the one of the highest F1 on the "
        "validation rows",
    )

    @classmethod
    def gives(cls) -> type[LabelsSpec]:
        return LabelsSpec

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_sets(kind) else NEEDS

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        """By the rarest label of each row, so that every label is held out."""
        pairs = pairs_of(column, self.separator)
        codes = pairs.names.dictionary_encode(null_encoding="encode").indices.to_numpy()
        found = rarest(pairs, codes, np.bincount(codes))
        return np.where(pairs.missing, found.max() + 1, found)

    def fit(self, train: pa.Table) -> LabelsSpec:
        column = train.column(self.column)
        labels = label_names(column, self.column, self.separator, FIELD)
        spec = LabelsSpec(column=self.column, separator=self.separator, threshold=self.threshold, labels=labels)
        rows = spec.rows_with(pairs_of(column, self.separator)).tolist()
        if min(rows) == len(column):
            raise RequestError(
                f"{FIELD}: column '{self.column}' holds the same labels in every training row ({_in_words(labels[:5])}"
                f"{', ...' if len(labels) > 5 else ''}); there is nothing to tell apart"
            )
        return spec.replace(rows_of_each=tuple(rows))

    def learnt(self, spec: TargetSpec) -> bool:
        same = ("column", "separator", "threshold")
        return isinstance(spec, LabelsSpec) and all(getattr(spec, name) == getattr(self, name) for name in same)


class LabelsAnswer(BaseModel):
    """The labels of each instance."""

    labels: list[str] = Field(description="the labels whose probability is above their threshold; there may be none")
    confidence: float = Field(description="the probability that the instance has exactly these, in [0, 1]")
    probabilities: dict[str, float] = Field(description="the five likeliest labels, in order")


class LabelsSpec(TargetSpec):
    """Labels in the order of their numbers.

    rows_of_each: training rows with each. thresholds: of each, as validation rows had it; 0.5 before that.
    """

    kind: Literal["labels"] = "labels"
    labels: tuple[str, ...]
    separator: str = _SEPARATOR
    threshold: float | None = Field(None, gt=0, lt=1)
    rows_of_each: tuple[int, ...] = ()
    thresholds: tuple[float, ...] = ()

    chosen: ClassVar[tuple[str, ...]] = ("thresholds",)
    wording: ClassVar[Wording] = Wording(
        "label set", "marked with a label that the training rows do not have", "of known labels"
    )
    figures: ClassVar[tuple[str, ...]] = ("macro_f1", "micro_f1", "average_precision")
    answer: ClassVar[type[BaseModel]] = LabelsAnswer

    @property
    def tensor(self) -> TensorSpec:
        return TensorSpec((len(self.labels),), "float32")

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_sets(kind) else NEEDS

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """1 for each label of a row; -1 throughout for a row with a label that the model does not know."""
        pairs = pairs_of(column, self.separator)
        known, indices = self._indices(pairs)
        target = np.zeros((len(pairs.missing), len(self.labels)), np.float32)
        target[pairs.rows[known], indices[known]] = 1
        target[pairs.rows[~known]] = UNKNOWN
        target[pairs.missing] = np.nan
        return target

    def rows_with(self, pairs: Pairs) -> np.ndarray:
        """(labels,) int64: how many rows have each."""
        known, indices = self._indices(pairs)
        once = np.unique(pairs.rows[known] * len(self.labels) + indices[known])
        return np.bincount(once % len(self.labels), minlength=len(self.labels))

    def _indices(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bool: the label is one of the model's. (n,) int64: its number."""
        found = pc.index_in(pairs.names, value_set=pa.array(self.labels, pa.string()), skip_nulls=True)
        indices = found.fill_null(-1).to_numpy().astype(np.int64)
        return indices >= 0, indices

    def unlabelled(self, rows: int) -> np.ndarray:
        return np.full((rows, len(self.labels)), np.nan, np.float32)

    def labelled(self, target: np.ndarray) -> np.ndarray:
        return ~np.isnan(target[:, 0])

    def known(self, target: np.ndarray) -> np.ndarray:
        return target[:, 0] >= 0

    def strata(self, target: np.ndarray) -> np.ndarray:
        """1 + the label of each row that the fewest training rows have, 0 for a row without any."""
        rows, indices = np.nonzero(target > 0)
        pairs = Pairs(rows, pa.nulls(len(rows)), np.zeros(len(target), np.bool_))
        return rarest(pairs, indices, np.array(self.rows_of_each or (0,) * len(self.labels)))

    def where(self, target: np.ndarray, names: Sequence[str], field: str) -> np.ndarray:
        """The rows that have one of them at least."""
        known = list(self.labels)
        for name in names:
            if name not in known:
                raise RequestError(f"{field}: unknown label '{name}'; {nearest(name, known)}")
        having: np.ndarray = target[:, [known.index(name) for name in names]] > 0
        return np.logical_or.reduce(having, axis=-1)

    def of_csv(self, table: pa.Table, written: pa.ChunkedArray, path: Path) -> pa.Table:
        """As text, also where all cells look like numbers; an empty cell in quotes is a row without labels."""
        if holds_sets(table.schema.field(self.column).type):
            return table
        return table.set_column(table.column_names.index(self.column), self.column, written)

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def _cuts(self) -> np.ndarray:
        """(labels,) float32: the logits above which a label is given."""
        given = 0.5 if self.threshold is None else self.threshold
        return cuts_of(np.array(self.thresholds or (given,) * len(self.labels)))

    def likelihood(self) -> Likelihood:
        from dsray.likelihoods.labels import Labels

        return Labels(self.labels, self._cuts())

    @property
    def calibrates(self) -> bool:
        return self.threshold is None or self.abstain is not None

    def check_rows(self, rows: int) -> None:
        super().check_rows(rows)
        if self.threshold is None and rows < FEWEST:
            raise RequestError(
                f"{FIELD}.threshold: is chosen by at least {FEWEST} validation rows with a target, and there are {rows}; give "
                "more of them (data.validation), or a threshold"
            )

    def choose(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        if self.threshold is not None:
            return {}
        known = self.known(target)
        return {"thresholds": tuple(best_thresholds(logits[known], target[known] > 0).tolist())}

    def weights(self, given: str | Mapping[str, float], counts: np.ndarray, field: str) -> np.ndarray:
        """(labels,): what a row with the label counts against one without it; balanced, so that both weigh the same."""
        if isinstance(given, str):
            rows, having = counts[0], counts[1:]
            there = (having > 0) & (having < rows)
            return np.where(there, (rows - having) / np.maximum(having, 1), 1).astype(np.float32)
        for name in given:
            if name not in self.labels:
                raise RequestError(f"{field}.{name}: there is no such label; {nearest(name, list(self.labels))}")
        return np.array([given.get(name, 1.0) for name in self.labels], dtype=np.float32)

    def counts(self, target: np.ndarray) -> np.ndarray:
        """(1 + labels,): all rows, and the rows with each label."""
        known = target[self.known(target)]
        return np.append(len(known), (known > 0).sum(0))

    def own_figure(self, counts: np.ndarray) -> str:
        return "macro_f1"

    def answers(self, logits: np.ndarray) -> list[dict[str, Any]]:
        logits, cuts = logits.astype(np.float32), self._cuts()
        given = logits > cuts
        surprise = np.logaddexp(0, np.where(given, -logits, logits).astype(np.float64))
        confidence = np.exp(-surprise.sum(-1)).tolist()
        likeliest = (-logits).argsort(-1, kind="stable")[:, :SHOWN]
        probabilities = np.exp(-np.logaddexp(0, -np.take_along_axis(logits, likeliest, -1).astype(np.float64)))
        return [
            {
                "labels": [self.labels[i] for i in np.flatnonzero(row)],
                "confidence": sure,
                "probabilities": {self.labels[i]: p for i, p in zip(most.tolist(), shares, strict=True)},
            }
            for row, sure, most, shares in zip(given, confidence, likeliest, probabilities.tolist(), strict=True)
        ]

    def right(self, answers: Sequence[Mapping[str, Any]], target: np.ndarray) -> np.ndarray:
        labels = pa.array([answer["labels"] for answer in answers], pa.list_(pa.string()))
        return (self.encode(pa.chunked_array([labels])) == target).all(-1)

    def predictions(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        return {
            "prediction": pa.array([answer["labels"] for answer in answers], pa.list_(pa.string())),
            "confidence": pa.array([answer["confidence"] for answer in answers], pa.float64()),
        }

    def show(self, target: np.ndarray) -> list[str] | None:
        return [self.labels[i] for i in np.flatnonzero(target > 0)] if target[0] >= 0 else None

    def show_target(self, target: np.ndarray) -> str | None:
        found = self.show(target)
        return None if found is None else _in_words(found)

    def show_answer(self, answer: Mapping[str, Any]) -> str:
        return _in_words(answer["labels"])

    def about(self) -> dict[str, Any]:
        return {"labels": list(self.labels)}

    def asked(self) -> str:
        return f"any of {len(self.labels)} labels"

    def rows(self, target: np.ndarray) -> dict[str, str]:
        rows, *counts = self.counts(target).tolist()
        rare, common = min(range(len(counts)), key=counts.__getitem__), max(range(len(counts)), key=counts.__getitem__)
        balance = f"{self.labels[rare]} {counts[rare]:,}, {self.labels[common]} {counts[common]:,}"
        return {
            "labels": str(sum(count > 0 for count in counts)),
            "labels a row": f"{sum(counts) / max(1, rows):.2g}",
            "rows of the rarest and the commonest label": balance,
        }

    def remarks(self, targets: Mapping[str, np.ndarray]) -> Iterator[str]:
        yield from single_labels(self.column, self.separator, self.labels, targets["train"] > 0)
        counts = {split: self.counts(target)[1:] for split, target in targets.items()}
        if self.threshold is None:
            yield from rare_labels(self.labels, counts["validation"])

    def none_known(self, split: str, column: pa.ChunkedArray) -> str:
        some = ", ".join(map(repr, self.labels[:5])) + (", ..." if len(self.labels) > 5 else "")
        return (
            f"no {split} row has labels of the {len(self.labels)} of the training rows ({some}) alone; the first one has "
            f"{column[0].as_py()!r}; give {split} rows with known labels"
        )

    def constant(self, target: np.ndarray, logits: np.ndarray) -> Constant:
        known = target[self.known(target)] > 0
        times = np.unique(np.packbits(known, axis=-1), axis=0, return_counts=True)[1]
        given = logits > self._cuts()
        same = len(given) > 1 and bool((given == given[0]).all())
        only = _in_words([self.labels[i] for i in np.flatnonzero(given[0])]) if same else None
        return Constant(float(times.max(initial=0) / len(target)), only)

    def detail(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        known = self.known(target)
        cuts = self._cuts()
        thresholds = self.thresholds or tuple((1 / (1 + np.exp(-cuts.astype(np.float64)))).tolist())
        one = self.constant(target, logits).given
        return {
            **({} if one is None else {"one_answer": one}),
            **labels_detail(self.labels, thresholds, logits[known], logits[known] > cuts, target[known] > 0),
        }

    def right_where(self) -> str:
        return "where all labels of the row are given and no others"


def _in_words(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "no label"
