"""What every augmentation shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from dsray.base import Plugin
from dsray.base.errors import nearest
from dsray.base.noise import key_of, uniform
from dsray.inputs import InputSpec, TensorSpec

if TYPE_CHECKING:
    from dsray.base.protocols import Columns, Operation


class OperationConfig(Plugin):
    """Base of all operations; a subclass defines `make`."""

    reads: ClassVar[type[InputSpec] | None] = None
    """The kind of input that is changed; None for an operation on whole rows, which is told every input."""

    input: str | None = Field(
        None, description="name of the input that is changed; the only one that fits when it is left out"
    )
    chance: float = Field(1.0, gt=0, le=1, description="probability that a row is changed at each draw")

    def make(self, tensors: Mapping[str, TensorSpec]) -> Operation:
        """The operation on every row that it is given. tensors: those that it changes, by their names in columns."""
        raise NotImplementedError

    def build(self, tensors: Mapping[str, TensorSpec]) -> Operation:
        """The operation, on the share `chance` of the rows."""
        return self.make(tensors) if self.chance == 1 else Sometimes(self.make(tensors), self.chance)

    def choose(self, inputs: Mapping[str, type[InputSpec]]) -> tuple[str, ...]:
        """The inputs that are changed: one, or all where `reads` and `input` leave it open.

        A ValueError where `input` names none that fits, and where it is left out and not exactly one does.
        """
        able = [name for name, spec in inputs.items() if self.reads is None or issubclass(spec, self.reads)]
        if self.input is not None and self.input not in inputs:
            raise ValueError(f"input: '{self.input}' is no input; {nearest(self.input, able or list(inputs))}")
        if self.reads is not None and not able:
            kind = self.reads.model_fields["kind"].default
            raise ValueError(
                f"input: {self.kind} changes an input of kind {kind}, and data has only {' and '.join(inputs)}; "
                "add one, or leave the operation out"
            )
        if self.input is not None and self.input not in able:
            raise ValueError(f"input: {self.kind} cannot change '{self.input}'; valid: {', '.join(able)}")
        if self.input is not None:
            return (self.input,)
        if self.reads is not None and len(able) > 1:
            raise ValueError(f"input: is needed, since {' and '.join(able)} both fit; name one of them")
        return tuple(able)


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
