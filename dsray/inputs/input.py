"""What a kind of input is: its config in the file, what is learnt of it from the training rows, and all that it knows.

A kind is one file: a config (`InputConfig`) that is fitted to the training rows and gives a spec (`InputSpec`), which
stands in the schema, travels in artefacts and does the rest. No torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from dsray.base import Plugin
from dsray.inputs.tensor import TensorSpec


class Encoded(NamedTuple):
    """Rows as they are stored.

    values: part -> (rows, *shape). present: (rows,) bool. marks: what (`cut`, `unknown`, ...) -> (rows,) bool, of what
    is counted; zeros included.
    """

    values: dict[str, np.ndarray]
    present: np.ndarray
    marks: dict[str, np.ndarray]


class Shown(NamedTuple):
    """What a page shows of a value: `image/png` with a data URI, or `text/plain`."""

    media: str
    content: str


class InputConfig(Plugin):
    """One entry of `data.inputs`: the columns of an input and how they are read."""

    range: ClassVar[tuple[float, float] | None] = None
    """Of the values that an attack may move, as far as it is known before any row is read; None for ids and flags."""

    @classmethod
    def gives(cls) -> type[InputSpec]:
        """The class of what `fit` gives, known before any row is read."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source that it reads."""
        raise NotImplementedError

    @property
    def encoded(self) -> tuple[str, ...]:
        """Those of them that hold encoded bytes or name files: nothing but the kind itself can read them."""
        return ()

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        """What a column would have to hold, if a column of this type cannot be read: `PNG or JPEG bytes`."""
        raise NotImplementedError

    def fit(self, train: pa.Table) -> InputSpec:
        """What can only be known from the training rows."""
        raise NotImplementedError

    def learnt(self, spec: InputSpec) -> bool:
        """Whether `spec`, which may have come from anywhere, could have been learnt for this config."""
        raise NotImplementedError


class InputSpec(Plugin):
    """An input as a model knows it: plain data, from which a raw value becomes what the model reads."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """Of the files that hold one value each, where there are such; a folder of them is a table then."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source that it reads."""
        raise NotImplementedError

    @property
    def encoded(self) -> tuple[str, ...]:
        """As `InputConfig.encoded`."""
        return ()

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Part -> tensor, in the order in which encoders take them; the part of an only tensor is ""."""
        raise NotImplementedError

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        """As `InputConfig.fault`."""
        raise NotImplementedError

    def check(self) -> None:
        """A RequestError unless what was learnt can be used: a spec may have come from anywhere."""

    def encode(self, table: pa.Table, field: str) -> Encoded:
        """The rows of a table with `columns`; null is missing. field: what errors call the input.

        A value that cannot be read is a RowFault.
        """
        raise NotImplementedError

    def unpack(self, part: str, stored: np.ndarray) -> np.ndarray:
        """(rows, *shape) as stored -> as the model reads it; what the model reads already stays as it is."""
        return stored

    def read(self, values: Sequence[Any], fields: Sequence[str]) -> dict[str, np.ndarray]:
        """Values of a request, none of them null -> part -> (values, *shape) as the model reads it.

        fields: what errors call each value. A fault is a RequestError.
        """
        raise NotImplementedError

    def request_schema(self) -> dict[str, Any]:
        """JSON Schema of a value of a request; null, which hides the input, is among what it allows."""
        raise NotImplementedError

    def example(self) -> Any:
        """A value that `read` takes."""
        raise NotImplementedError

    def request_of(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Any:
        """The value of a request that means a row of the data.

        values: part -> (*shape) as the model reads it. raw: column -> value as the source gave it, without `encoded`.
        """
        raise NotImplementedError

    def show(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Shown:
        """What a page shows of a row; the arguments are those of `request_of`, with no `raw` where values were moved."""
        raise NotImplementedError

    def difference(self, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> Shown | None:
        """What a page shows of how a value was moved, where that can be seen. before, after: as `values` of `show`."""
        return None

    def about(self) -> dict[str, Any]:
        """What a client is told of it: sizes and the like, nothing of the source."""
        return self.model_dump(mode="json", exclude={"column", "columns"})

    def facts(self) -> str | None:
        """What was learnt, in words for `dsray check`; None where there is nothing to tell."""
        return None

    def remarks(self, counts: Mapping[str, Mapping[str, int]], name: str) -> Iterator[str]:
        """What a user should know before believing a figure. counts: split -> what -> rows, of this input."""
        return iter(())

    def csv_types(self) -> dict[str, pa.DataType]:
        """The types that its columns are read with from a CSV file, where that would guess wrong."""
        return {}

    def from_csv(self, table: pa.Table, path: Path) -> pa.Table:
        """A table that was read from the CSV file `path`, with its columns as `encode` takes them."""
        return table
