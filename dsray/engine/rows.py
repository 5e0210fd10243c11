"""Which rows a stage learns from, and the global batches they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from dsray.base import Config, RequestError, nearest
from dsray.data import Prepared, draw
from dsray.noise import key_of


class RowFilter(Config):
    """A part of the rows; everything when empty."""

    classes: tuple[str, ...] = Field((), description="only rows of these classes")
    column: str | None = Field(None, description="only rows whose value in this shown column is in `values`")
    values: tuple[str, ...] = Field((), description="values of `column`, as text")

    @model_validator(mode="after")
    def _column_has_values(self) -> RowFilter:
        if (self.column is None) != (not self.values):
            raise ValueError("column and values belong together")
        return self

    def select(self, data: Prepared, split: str, field: str = "rows") -> np.ndarray:
        """Row ids of `split` that pass, ascending; none is a RequestError naming `field`."""
        rows = data.splits[split]
        if self.classes:
            known = list(data.schema.classes)
            for name in self.classes:
                if name not in known:
                    raise RequestError(f"{field}.classes: unknown class '{name}'; {nearest(name, known)}")
            rows = rows[np.isin(data.columns["target"][rows], [known.index(name) for name in self.classes])]
        if self.column is not None:
            if self.column not in data.shown.column_names:
                hint = nearest(self.column, data.shown.column_names)
                raise RequestError(f"{field}.column: unknown column '{self.column}'; {hint}")
            values = np.array([str(v) for v in data.shown.column(self.column).to_pylist()])
            rows = rows[np.isin(values[rows], self.values)]
        if not len(rows):
            raise RequestError(f"{field}: no row of the {split} split passes the filter")
        return rows


class Replay(Config):
    """A share of each batch that is drawn from the replay memory once it holds rows."""

    share: float = Field(0.5, gt=0, lt=1, description="share of each batch")


@dataclass(frozen=True)
class Plan:
    """The global batches of a stage: a pure function of the step, the same on any number of workers."""

    seed: int
    stage: str
    rows: np.ndarray
    batch: int
    memory: np.ndarray
    replay_share: float

    def __call__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Row ids and epochs (both (batch,) int64) of global batch `step`; replayed rows come last."""
        old = round(self.batch * self.replay_share) if len(self.memory) else 0
        rows, epochs = draw(self.seed, self.stage, self.rows, self.batch - old, step)
        if old:
            again, passes = draw(key_of(self.seed, "replay"), self.stage, self.memory, old, step)
            rows, epochs = np.concatenate([rows, again]), np.concatenate([epochs, passes])
        return rows, epochs

    def slice(self, first: int, last: int, rank: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Row ids and epochs of one worker for steps first..last-1, concatenated; `rank::size` of each batch."""
        pieces = [self(step) for step in range(first, last)]
        rows, epochs = zip(*((r[rank::size], e[rank::size]) for r, e in pieces), strict=True)
        return np.concatenate(rows), np.concatenate(epochs)

    def per_worker(self, rank: int, size: int) -> int:
        """Rows of each global batch that belong to worker `rank`."""
        return len(range(rank, self.batch, size))
