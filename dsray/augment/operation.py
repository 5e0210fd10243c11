"""What every augmentation shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from dsray.base import Plugin
from dsray.base.noise import key_of, uniform

if TYPE_CHECKING:
    from dsray.base.protocols import Columns, Operation


class OperationConfig(Plugin):
    """Base of all operations; a subclass defines `make`."""

    chance: float = Field(1.0, gt=0, le=1, description="probability that a row is changed at each draw")

    def make(self) -> Operation:
        """The operation on every row that it is given."""
        raise NotImplementedError

    def build(self) -> Operation:
        """The operation, on the share `chance` of the rows."""
        return self.make() if self.chance == 1 else Sometimes(self.make(), self.chance)


@dataclass(frozen=True)
class Sometimes:
    """An operation on rows chosen with probability `chance`; the choice belongs to the row and its epoch."""

    operation: Operation
    chance: float

    def __call__(self, columns: Columns, key: int) -> Columns:
        drawn = uniform(key_of(key, "chance"), columns["row"], columns["epoch"], ())
        chosen = np.flatnonzero(drawn < self.chance)
        changed = self.operation({name: values[chosen] for name, values in columns.items()}, key)
        merged = dict(columns)
        for name, values in changed.items():
            merged[name] = columns[name].copy()
            merged[name][chosen] = values
        return merged
