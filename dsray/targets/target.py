"""What a kind of target is: its config in the file, what is learnt of it from the training rows, and all that it knows.

A kind is one file here, a config (`TargetConfig`) that is fitted to the training rows and gives a spec (`TargetSpec`),
which stands in the schema, travels in artefacts and does the rest; and one file of `dsray.likelihoods`, what a model's
numbers mean for it. No torch is loaded here before a likelihood is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field, field_validator

from dsray.base import Plugin
from dsray.base.figures import COMMON, Figure, figure
from dsray.inputs.tensor import TensorSpec
from dsray.targets.abstain import Abstain, WorkingPoint, with_refusals

if TYPE_CHECKING:
    from pathlib import Path

    from dsray.base.likelihood import Likelihood

Tables = dict[str, pa.Table]
"""Split -> rows."""


TOLD = ("confidence", "probabilities")
"""The fields of an answer that a refused one has as well."""


class Constant(NamedTuple):
    """accuracy: of the best constant answer, over all rows. given: the only answer that a model gave to several rows."""

    accuracy: float
    given: str | None


class Wording(NamedTuple):
    """What rows are called by their target: `with a known ONE`, `9 rows are UNKNOWN`, `of them KNOWN`."""

    one: str = "label"
    unknown: str = "of a class that the training rows do not have"
    known: str = "of known class"


class TargetConfig(Plugin):
    """`data.target`: the column that is asked for, and how it is read."""

    asks: ClassVar[str] = "what is asked for"
    """What the column holds, in words."""
    column: str = Field(
        "",
        validate_default=True,
        description="column that holds what is asked for; a test row in whose column stands a name that no training row has "
        "(`oos`) is out of scope: no answer to it is right, and it tells how well refusal works",
    )
    abstain: Abstain | None = Field(
        None, description="refuse to answer where the model is not sure enough; null: every row is answered"
    )

    @field_validator("column")
    @classmethod
    def _column_is_named(cls, column: str) -> str:
        if not column:
            raise ValueError(f"name the column that holds {cls.asks}")
        return column

    @classmethod
    def gives(cls) -> type[TargetSpec]:
        """The class of what `fit` gives, known before any row is read."""
        raise NotImplementedError

    def fault(self, kind: pa.DataType) -> str | None:
        """What the column would have to hold, if one of this type cannot be read: `numbers`."""
        raise NotImplementedError

    def unified(self, tables: Tables) -> tuple[Tables, list[str]]:
        """The splits with the column in one form where files may have several, and sentences to be said of it."""
        return tables, []

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        """(rows,) int64 from 0: rows of one code are alike; a share of each code is held out for validation."""
        return np.zeros(len(column), dtype=np.int64)

    def fit(self, train: pa.Table) -> TargetSpec:
        """What can only be known from the training rows; a RequestError where these cannot be learnt from."""
        raise NotImplementedError

    def learn(self, train: pa.Table) -> TargetSpec:
        """What `fit` gives, with what this config says of refusal."""
        return self.fit(train).replace(abstain=self.abstain)

    def learnt(self, spec: TargetSpec) -> bool:
        """Whether `spec`, which may have come from anywhere, could have been fitted for this config, refusal apart."""
        raise NotImplementedError


class TargetSpec(Plugin):
    """A target as a model knows it: plain data, from which answers become what people read."""

    column: str
    abstain: Abstain | None = None
    working_point: WorkingPoint | None = None

    chosen: ClassVar[tuple[str, ...]] = ()
    """The kind's own fields that `choose` gives."""
    figures: ClassVar[tuple[str, ...]] = ()
    """Names of what `figures` and `ranked` of the likelihood give, in the order in which they are shown."""
    own_figures: ClassVar[tuple[Figure, ...]] = ()
    """Those of them that `dsray.base.figures` does not list: label, unit, which way is better, whether watched."""
    wording: ClassVar[Wording] = Wording()
    answer: ClassVar[type[BaseModel]]
    """The fields of an answer over HTTP, each with a description."""

    @classmethod
    def watched(cls) -> tuple[str, ...]:
        """The figures of a line of validation that policies may decide by."""
        return tuple(name for name in (*COMMON, *cls.figures) if figure(name, cls.own_figures).watched)

    # rows of data

    @property
    def tensor(self) -> TensorSpec:
        """The encoded target of a row."""
        raise NotImplementedError

    def fault(self, kind: pa.DataType) -> str | None:
        """As `TargetConfig.fault`."""
        raise NotImplementedError

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(rows, *shape) of `tensor`: null is `unlabelled`, and so is told from a target that the model does not know."""
        raise NotImplementedError

    def unlabelled(self, rows: int) -> np.ndarray:
        """The targets of rows that have none."""
        raise NotImplementedError

    def labelled(self, target: np.ndarray) -> np.ndarray:
        """(rows,) bool: not `unlabelled`. A row without a target asks for no answer, so that it is in no figure."""
        raise NotImplementedError

    def known(self, target: np.ndarray) -> np.ndarray:
        """(rows,) bool: labelled, and an answer can be right; where it cannot, every answer is wrong."""
        raise NotImplementedError

    def strata(self, target: np.ndarray) -> np.ndarray:
        """(rows,) int64 from 0: what replay memory and balanced sampling keep even; target known."""
        return np.zeros(len(target), dtype=np.int64)

    @property
    def strata_names(self) -> tuple[str, ...]:
        """What the strata are called, where they are such that pages tell them apart."""
        return ()

    def where(self, target: np.ndarray, names: Sequence[str], field: str) -> np.ndarray:
        """(rows,) bool: the rows that `names` call, classes for instance. field: what errors call the names."""
        raise NotImplementedError

    def of_file(self, table: pa.Table, where: str) -> pa.Table:
        """A table that `predict` has read, with the column as `encode` takes it. where: what errors call the file."""
        return table

    def of_csv(self, table: pa.Table, written: pa.ChunkedArray, path: Path) -> pa.Table:
        """A table from a CSV file with the column as `encode` takes it. written: the column as text, as it stands there."""
        return table

    # the model

    @property
    def outputs(self) -> int:
        """How many numbers a model answers with."""
        raise NotImplementedError

    def likelihood(self) -> Likelihood:
        """What these numbers mean; it is as this spec was calibrated."""
        raise NotImplementedError

    @property
    def calibrates(self) -> bool:
        """Whether anything is chosen on validation rows, once for each model and again for the int8 form of one."""
        return bool(self.chosen) or self.abstain is not None

    def check_rows(self, rows: int) -> None:
        """A RequestError that names the field where so many labelled validation rows are too few to choose by."""
        if self.abstain is not None:
            self.abstain.check_rows(rows)

    def choose(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """Field of `chosen` -> what is chosen on validation rows: thresholds and the like. The rows are labelled."""
        return {}

    def calibrated(self, logits: np.ndarray, target: np.ndarray) -> Self:
        """The spec with all that is chosen on validation rows, refusal by what the kind chooses. The rows are labelled."""
        spec = self.uncalibrated()
        if spec.chosen:
            spec = spec.replace(**spec.choose(logits, target))
        if spec.abstain is None:
            return spec
        answers = spec.answers(logits)
        point = spec.abstain.working_point(_confidence(answers), spec.right(answers, target))
        return spec.replace(working_point=point)

    def uncalibrated(self) -> Self:
        """The spec as it was learnt."""
        own = {name: type(self).model_fields[name].get_default() for name in self.chosen}
        return self.replace(working_point=None, **own)

    def weights(self, given: str | Mapping[str, float], counts: np.ndarray, field: str) -> np.ndarray:
        """float32, as `Likelihood.loss` takes them: "balanced", or name -> factor. counts: as `counts` gives them.

        What does not fit is a RequestError that begins with `field`.
        """
        raise NotImplementedError

    def check_loss(self, *, smoothing: float, focal: float) -> None:
        """A RequestError that begins with `label_smoothing` or `focal` where the likelihood makes no sense of one that is not 0."""
        return

    def counts(self, target: np.ndarray) -> np.ndarray:
        """(n,) int64: the rows of each class or label, or of the only stratum."""
        return np.bincount(self.strata(target[self.known(target)]), minlength=1)

    def own_figure(self, counts: np.ndarray) -> str:
        """The watched figure that the kind calls its own, by which training is stopped. counts: of the rows."""
        return "accuracy"

    # what people read

    def answers(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """(rows, outputs) -> the fields of `answer` for each row; `confidence` in [0, 1] among them."""
        raise NotImplementedError

    @property
    def withheld(self) -> tuple[str, ...]:
        """The fields of an answer that are null where it is refused."""
        return tuple(name for name in self.answer.model_fields if name not in TOLD)

    def replies(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """What `answers` gives, with `refused` where the spec may refuse; a refused one has None in the fields `withheld`."""
        answers = self.answers(logits)
        if self.working_point is None:
            return answers
        return with_refusals(answers, self.working_point.refuses(_confidence(answers)), self.withheld)

    def refused(self, logits: np.ndarray) -> np.ndarray:
        """(rows,) bool: which rows get no answer."""
        if self.working_point is None:
            return np.zeros(len(logits), dtype=bool)
        return self.working_point.refuses(_confidence(self.answers(logits)))

    def right(self, answers: Sequence[Mapping[str, Any]], target: np.ndarray) -> np.ndarray:
        """(rows,) bool: which of `answers`, none refused, are right; no answer to a target that is not known is."""
        raise NotImplementedError

    def right_where(self) -> str:
        """What makes an answer right, where that is not plain: `within 4.5 of the truth`; empty otherwise."""
        return ""

    def predictions(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        """The columns that `predict` writes of what `replies` gave: `prediction`, `confidence`, ...; None stays null."""
        raise NotImplementedError

    def show(self, target: np.ndarray) -> Any:
        """One encoded target as `predict` writes it; None where it is not known."""
        raise NotImplementedError

    def show_target(self, target: np.ndarray) -> Any:
        """One encoded target as pages show it, in the words of `show_answer`; None where it is not known."""
        return self.show(target)

    def show_answer(self, answer: Mapping[str, Any]) -> str:
        """One of `answers` as pages show it."""
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        """What a client is told of it: names of classes and the like, nothing of the source."""
        raise NotImplementedError

    def asked(self) -> str:
        """What the model answers, in words: `one of 10 classes`."""
        raise NotImplementedError

    def rows(self, target: np.ndarray) -> dict[str, str]:
        """What `dsray check` tells of the targets of a split: column -> words."""
        return {}

    def remarks(self, targets: Mapping[str, np.ndarray]) -> Iterator[str]:
        """What a user should know before believing a figure. targets: split -> encoded ones."""
        return iter(())

    def none_known(self, split: str, column: pa.ChunkedArray) -> str:
        """What is said of a split of which no target is known, after the field."""
        raise NotImplementedError

    def constant(self, target: np.ndarray, logits: np.ndarray) -> Constant:
        """What a model without an eye for its inputs would reach on labelled rows, and whether `logits` are of such a one."""
        raise NotImplementedError

    def detail(self, logits: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """What a report shows of the answers to labelled rows, for `evaluation.json`: `tables`, `heat_maps`.

        `dsray.report.sections.answers` says what they hold and draws them.
        """
        return {}


def _confidence(answers: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(rows,) float64, as the answers tell it: whoever reads one can tell whether it had to be refused."""
    return np.array([answer["confidence"] for answer in answers], dtype=np.float64)
