"""A kind of input of a package that is not dsray: a series of numbers, with an encoder that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.inputs import Encoded, InputConfig, InputSpec, Shown, TensorSpec
from dsray.models.encoders import Encoder, EncoderConfig


class SeriesInput(InputConfig):
    """A column of lists of numbers, as long as the longest of the training rows."""

    range: ClassVar[tuple[float, float] | None] = (-np.inf, np.inf)

    kind: Literal["foreign_series:SeriesInput"] = "foreign_series:SeriesInput"
    column: str = Field(description="column that holds the numbers")

    @classmethod
    def gives(cls) -> type[SeriesSpec]:
        return SeriesSpec

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if _holds_series(kind) else "lists of numbers"

    def fit(self, train: pa.Table) -> SeriesSpec:
        rows = [_numbers(row) for row in train.column(self.column).drop_null().to_pylist()]
        known = np.concatenate([row[np.isfinite(row)] for row in rows])
        return SeriesSpec(
            column=self.column, length=max(map(len, rows)), low=float(known.min()), high=float(known.max())
        )

    def learnt(self, spec: InputSpec) -> bool:
        return isinstance(spec, SeriesSpec) and spec.column == self.column


class SeriesSpec(InputSpec):
    """Numbers between the lowest and highest of the training rows, and which of them are missing: (length,) each."""

    kind: Literal["foreign_series:SeriesSpec"] = "foreign_series:SeriesSpec"
    column: str
    length: int = Field(ge=1)
    low: float
    high: float

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        return {
            "values": TensorSpec((self.length,), range=(self.low, self.high)),
            "missing": TensorSpec((self.length,), "bool"),
        }

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if _holds_series(kind) else "lists of numbers"

    def encode(self, table: pa.Table, field: str) -> Encoded:
        """Marks the rows of which numbers are `incomplete`, and those that are `cut`."""
        given = table.column(self.column).to_pylist()
        values, missing = self._filled([[] if row is None else row for row in given])
        present = np.array([row is not None for row in given], bool)
        values[~present], missing[~present] = 0, False
        marks = {
            "incomplete": np.array([row is not None and not np.isfinite(_numbers(row)).all() for row in given], bool),
            "cut": np.array([row is not None and len(row) > self.length for row in given], bool),
        }
        return Encoded({"values": values, "missing": missing}, present, marks)

    def read(self, values: Sequence[Any], fields: Sequence[str]) -> dict[str, np.ndarray]:
        """values: lists of numbers or null."""
        for value, field in zip(values, fields, strict=True):
            if not isinstance(value, list) or not all(
                number is None or (isinstance(number, int | float) and not isinstance(number, bool)) for number in value
            ):
                raise RequestError(f"{field}: needs a list of numbers or null, or null to hide it")
        filled, missing = self._filled(values)
        return {"values": filled, "missing": missing}

    def request_schema(self) -> dict[str, Any]:
        number = {"anyOf": [{"type": "number"}, {"type": "null"}]}
        return {
            "description": f"up to {self.length} numbers from {self.low:g} to {self.high:g}",
            "anyOf": [{"type": "array", "items": number}, {"type": "null"}],
        }

    def example(self) -> list[float]:
        return [self.low, self.high]

    def request_of(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> list[float | None]:
        return [None if gone else float(v) for v, gone in zip(values["values"], values["missing"], strict=True)]

    def show(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Shown:
        return Shown("text/plain", ", ".join(f"{value:.2f}" for value in values["values"]))

    def facts(self) -> str:
        return f"{self.length} numbers from {self.low:g} to {self.high:g}"

    def remarks(self, counts: Mapping[str, Mapping[str, int]], name: str) -> Iterator[str]:
        if some := sum(found["incomplete"] for found in counts.values()):
            yield f"{some} rows of {name} lack some of their numbers"

    def csv_types(self) -> dict[str, pa.DataType]:
        return {self.column: pa.string()}

    def from_csv(self, table: pa.Table, path: Any) -> pa.Table:
        """A cell holds numbers with blanks between them, `nan` for one that is missing."""
        lists = pc.split_pattern(table.column(self.column), " ").cast(pa.list_(pa.float64()))
        return table.set_column(table.column_names.index(self.column), self.column, lists)

    def _filled(self, rows: Sequence[Sequence[float | None]]) -> tuple[np.ndarray, np.ndarray]:
        values = np.full((len(rows), self.length), np.nan)
        for i, row in enumerate(rows):
            values[i, : len(row)] = _numbers(row)[: self.length]
        missing = ~np.isfinite(values)
        within = np.clip(np.where(missing, self.low, values), self.low, self.high).astype(np.float32)
        return within, missing


def _holds_series(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)


def _numbers(row: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in row], float)


class SeriesEncoder(Encoder):
    """Pieces of the series as tokens; numbers that are missing are zeros."""

    def __init__(self, spec: SeriesSpec, piece: int, width: int):
        super().__init__()
        self.piece, self.tokens, self.width = piece, -(-spec.length // piece), width
        self.pad = self.tokens * piece - spec.length
        self.embed = nn.Linear(2 * piece, width)
        self.position = nn.Parameter(torch.empty(self.tokens, width))
        nn.init.normal_(self.position, std=0.02)

    def forward(self, values: Tensor, missing: Tensor) -> Tensor:
        gone = F.pad(missing.to(values.dtype), (0, self.pad), value=1.0)
        pieces = torch.stack([F.pad(values, (0, self.pad)) * (1 - gone), gone], 1)
        cut = pieces.reshape(values.shape[0], 2, self.tokens, self.piece).transpose(1, 2)
        return F.gelu(self.embed(cut.reshape(values.shape[0], self.tokens, 2 * self.piece))) + self.position

    def mask(self, values: Tensor, missing: Tensor) -> Tensor:
        gone = F.pad(missing.to(values.dtype), (0, self.pad), value=1.0)
        return gone.reshape(values.shape[0], self.tokens, self.piece).amin(2) < 1


class SeriesEncoderConfig(EncoderConfig):
    """Pieces of some numbers each, embedded by one linear layer and GELU, plus learned positions."""

    reads: ClassVar[type[InputSpec]] = SeriesSpec

    kind: Literal["foreign_series:SeriesEncoderConfig"] = "foreign_series:SeriesEncoderConfig"
    piece: int = Field(4, ge=1)

    def build(self, spec: InputSpec) -> SeriesEncoder:
        assert isinstance(spec, SeriesSpec)
        return SeriesEncoder(spec, self.piece, self.width)
