"""Which rows a stage learns from."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from dsray.base import Config, RequestError, nearest
from dsray.data import Prepared


class RowChoice(Config):
    """Base of sections that name rows."""

    classes: tuple[str, ...] = Field((), description="only rows of these classes")
    column: str | None = Field(None, description="only rows whose value in this shown column is in `values`")
    values: tuple[str, ...] = Field((), description="values of `column`, as text")

    @model_validator(mode="after")
    def _column_has_values(self) -> RowChoice:
        if (self.column is None) != (not self.values):
            raise ValueError("column and values belong together")
        return self


class RowFilter(RowChoice):
    """A part of the rows; everything when empty."""

    def select(self, data: Prepared, split: str, field: str = "rows") -> np.ndarray:
        """Row ids of `split` that pass, ascending; none is a RequestError naming `field`."""
        rows = data.splits[split]
        if self.classes:
            rows = rows[data.schema.target.where(data.columns["target"][rows], self.classes, f"{field}.classes")]
        if self.column is not None:
            if self.column not in data.shown.column_names:
                hint = nearest(self.column, data.shown.column_names)
                raise RequestError(f"{field}.column: unknown column '{self.column}'; {hint}")
            values = data.shown.column(self.column).to_pylist()
            rows = rows[np.array([not _texts(value).isdisjoint(self.values) for value in values], bool)[rows]]
        if not len(rows):
            raise RequestError(f"{field}: no row of the {split} split passes the filter")
        return rows


def _texts(value: object) -> set[str]:
    """How a value may be written; a whole number is one also where nulls in some split made floats of the column."""
    whole = isinstance(value, float) and value.is_integer()
    return {str(value), str(int(value))} if whole else {str(value)}  # type: ignore[call-overload]


class Replay(Config):
    """A share of each batch that is drawn from the replay memory once it holds rows."""

    share: float = Field(0.5, gt=0, lt=1, description="share of each batch")

    def rows(self, batch: int) -> int:
        """Replayed rows of a global batch of `batch` rows; the others are new."""
        return round(batch * self.share)
