"""One of several classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from dsray.base import RequestError, nearest
from dsray.base.balance import uneven
from dsray.inputs.tensor import TensorSpec
from dsray.targets.classlabel import named, named_by, names_of, names_of_splits, names_read
from dsray.targets.confusion import class_detail
from dsray.targets.doubts import absent_classes, like_no_classes
from dsray.targets.names import UNLABELLED, class_names, encoded, holds_names
from dsray.targets.target import Constant, Tables, TargetConfig, TargetSpec

if TYPE_CHECKING:
    from dsray.base.likelihood import Likelihood

NEEDS = "whole numbers, booleans or words"
SHOWN = 5
"""Classes whose probability an answer tells."""
_SORTED = 200
"""Classes up to which sorting all is fastest."""
_AT_ONCE = 1 << 20
"""Probabilities that are held at once."""


class ClassesTarget(TargetConfig):
    """A column of classes: whole numbers, booleans or words."""

    asks: ClassVar[str] = "the class"
    kind: Literal["classes"] = "classes"
    normal: str | None = Field(
        None,
        description="class of the rows that raise no alarm, for average precision and recall at 1 % false alarms; "
        "null: of two classes the commoner one, if it has more than 1.5 times the rows of the other",
    )

    @classmethod
    def gives(cls) -> type[ClassesSpec]:
        return ClassesSpec

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_names(kind) else NEEDS

    def unified(self, tables: Tables) -> tuple[Tables, list[str]]:
        return names_of_splits(tables, self.column)

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()

    def fit(self, train: pa.Table) -> ClassesSpec:
        column = train.column(self.column)
        classes = class_names(column, self.column)
        spec = ClassesSpec(column=self.column, classes=classes, names=names_read(train, self.column))
        return spec.replace(normal=self._normal(spec, column))

    def _normal(self, spec: ClassesSpec, column: pa.ChunkedArray) -> str | None:
        if self.normal is not None and self.normal not in spec.classes:
            hint = nearest(self.normal, list(spec.classes))
            raise RequestError(f"data.target.normal: no training row has class '{self.normal}'; {hint}")
        if self.normal is not None or len(spec.classes) > 2:
            return self.normal
        rows = spec.counts(spec.encode(column))
        return spec.classes[int(rows.argmax())] if uneven(rows.tolist()) else None

    def learnt(self, spec: TargetSpec) -> bool:
        if not isinstance(spec, ClassesSpec) or spec.column != self.column:
            return False
        return spec.normal == self.normal if self.normal is not None else True


class ClassAnswer(BaseModel):
    """A class for each instance."""

    label: str = Field(description="the likeliest class")
    confidence: float = Field(description="its probability, in [0, 1]")
    probabilities: dict[str, float] = Field(description="the five likeliest classes, in order")


class ClassesSpec(TargetSpec):
    """Classes in the order of their numbers.

    names: of the numbers 0, 1, ... in the column, where the training files gave them. normal: the class that raises no
    alarm, if one does not.
    """

    kind: Literal["classes"] = "classes"
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()
    normal: str | None = None

    figures: ClassVar[tuple[str, ...]] = (
        "balanced_accuracy",
        "macro_f1",
        "average_precision",
        "recall_at_1pct",
        "classes_answered",
    )
    answer: ClassVar[type[BaseModel]] = ClassAnswer

    @property
    def tensor(self) -> TensorSpec:
        return TensorSpec((), "int64", ids=len(self.classes))

    def fault(self, kind: pa.DataType) -> str | None:
        return None if holds_names(kind) else NEEDS

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        return encoded(column, self.classes)

    def unlabelled(self, rows: int) -> np.ndarray:
        return np.full(rows, UNLABELLED, dtype=np.int64)

    def labelled(self, target: np.ndarray) -> np.ndarray:
        return target != UNLABELLED

    def known(self, target: np.ndarray) -> np.ndarray:
        return target >= 0

    def strata(self, target: np.ndarray) -> np.ndarray:
        return target

    @property
    def strata_names(self) -> tuple[str, ...]:
        return self.classes

    def where(self, target: np.ndarray, names: Sequence[str], field: str) -> np.ndarray:
        known = list(self.classes)
        for name in names:
            if name not in known:
                raise RequestError(f"{field}: unknown class '{name}'; {nearest(name, known)}")
        return np.isin(target, [known.index(name) for name in names])

    def of_file(self, table: pa.Table, where: str) -> pa.Table:
        """The numbers replaced by the names that this file gives them, or those of the model."""
        own = names_of(table, self.column, where)
        if own is not None and not set(own).isdisjoint(self.classes):
            return named(table, self.column, own, where)
        return named_by(table, self.column, self.names, where) if self.names else table

    def of_csv(self, table: pa.Table, written: pa.ChunkedArray, path: Path) -> pa.Table:
        """As text where that names a class: `01` is no number and `True` no truth value if classes are so called."""
        if not pc.any(pc.is_in(written, value_set=pa.array(self.classes))).as_py():
            return table
        return table.set_column(table.column_names.index(self.column), self.column, written)

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def likelihood(self) -> Likelihood:
        from dsray.likelihoods.classes import Classes

        return Classes(self.classes, None if self.normal is None else self.classes.index(self.normal))

    def weights(self, given: str | Mapping[str, float], counts: np.ndarray, field: str) -> np.ndarray:
        """(classes,): balanced, so that each class weighs the same and the mean over the rows is 1."""
        if isinstance(given, str):
            there = counts > 0
            found = np.ones(len(self.classes))
            found[there] = counts.sum() / (there.sum() * counts[there])
            return found.astype(np.float32)
        for name in given:
            if name not in self.classes:
                raise RequestError(f"{field}.{name}: there is no such class; {nearest(name, list(self.classes))}")
        return np.array([given.get(name, 1.0) for name in self.classes], dtype=np.float32)

    def counts(self, target: np.ndarray) -> np.ndarray:
        return np.bincount(target[target >= 0], minlength=len(self.classes))

    def own_figure(self, counts: np.ndarray) -> str:
        return "balanced_accuracy" if uneven(counts.tolist()) else "accuracy"

    def answers(self, logits: np.ndarray) -> list[dict[str, Any]]:
        found = []
        block = max(1, _AT_ONCE // len(self.classes))
        for start in range(0, len(logits), block):
            part = logits[start : start + block]
            shifted = np.exp(part - part.max(-1, keepdims=True))
            for probabilities in shifted / shifted.sum(-1, keepdims=True):
                order = _likeliest(probabilities)
                found.append(
                    {
                        "label": self.classes[order[0]],
                        "confidence": float(probabilities[order[0]]),
                        "probabilities": {self.classes[i]: float(probabilities[i]) for i in order},
                    }
                )
        return found

    def right(self, answers: Sequence[Mapping[str, Any]], target: np.ndarray) -> np.ndarray:
        given = pc.index_in(pa.array([answer["label"] for answer in answers]), value_set=pa.array(self.classes))
        return given.to_numpy() == target

    def predictions(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        return {
            "prediction": pa.array([answer["label"] for answer in answers], pa.string()),
            "confidence": pa.array([answer["confidence"] for answer in answers], pa.float64()),
        }

    def show(self, target: np.ndarray) -> str | None:
        return self.classes[int(target)] if target >= 0 else None

    def show_answer(self, answer: Mapping[str, Any]) -> str:
        return str(answer["label"])

    def about(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}

    def asked(self) -> str:
        return f"one of {len(self.classes)} classes"

    def rows(self, target: np.ndarray) -> dict[str, str]:
        counts = self.counts(target)
        rare, common = int(counts.argmin()), int(counts.argmax())
        balance = f"{self.classes[rare]} {counts[rare]:,}, {self.classes[common]} {counts[common]:,}"
        return {"classes": str(int((counts > 0).sum())), "rows of the rarest and the commonest class": balance}

    def remarks(self, targets: Mapping[str, np.ndarray]) -> Iterator[str]:
        counts = {split: self.counts(target) for split, target in targets.items()}
        yield from like_no_classes(self.column, self.classes, len(targets["train"]))
        for split in ("validation", "test"):
            yield from absent_classes(split, self.classes, counts[split], counts["train"])

    def none_known(self, split: str, column: pa.ChunkedArray) -> str:
        some = ", ".join(map(repr, self.classes[:5])) + (", ..." if len(self.classes) > 5 else "")
        got = column[0].as_py()
        return (
            f"no {split} row has one of the {len(self.classes)} classes of the training rows ({some}); "
            f"the first one has {'null' if got is None else repr(got)}; give {split} rows with known labels"
        )

    def constant(self, target: np.ndarray, logits: np.ndarray) -> Constant:
        given = np.unique(logits.argmax(-1))
        commonest = np.bincount(target[target >= 0], minlength=1).max()
        return Constant(
            float(commonest / len(target)), self.classes[given[0]] if len(given) == 1 < len(target) else None
        )

    def detail(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        return class_detail(self.classes, logits.argmax(-1), target)


def _likeliest(probabilities: np.ndarray) -> np.ndarray:
    """The SHOWN likeliest classes in order, the first of equal ones first; thousands are not sorted for it."""
    falling = -probabilities
    if len(falling) <= _SORTED:
        return falling.argsort(kind="stable")[:SHOWN]
    least = np.partition(falling, SHOWN - 1)[SHOWN - 1]
    chosen = np.flatnonzero(~(falling > least))  # NaN too, as a sort of all would keep them
    return chosen[falling[chosen].argsort(kind="stable")][:SHOWN]
