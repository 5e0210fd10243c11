"""Threat: what an attacker may change of one input, how far, and in which units."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from dsray.base import Plugin, RequestError
from dsray.base.batch import Batch
from dsray.base.errors import nearest
from dsray.data.movable import NOTHING

Limit = float | Tensor


class Movable(Protocol):
    """A tensor of an input as a threat reads it.

    range: of its values, None where they are ids or flags. element: what one of them is called.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def range(self) -> tuple[float, float] | None: ...

    @property
    def element(self) -> str: ...


class ThreatConfig(Plugin):
    """Base of all threats. A threat is built for the inputs of a schema, or of a batch, by `on`."""

    input: str | None = Field(
        None, description="name of the input that is moved; the only continuous one when it is left out"
    )

    @property
    def units(self) -> str:
        """What an epsilon means, for reports: `L-inf, in units of the input`."""
        raise NotImplementedError

    @property
    def whom(self) -> str:
        """The input in words: `the input`, by its name where the file gives one."""
        return "the input" if self.input is None else f"input '{self.input}'"

    @property
    def radius(self) -> str:
        """What an epsilon must be, for error sentences: `in input-range units`."""
        raise NotImplementedError

    @property
    def within(self) -> str:
        """What the largest radius bounds, for the error sentence of a larger one: `the input range`."""
        return "the input range"

    def largest(self, widths: Sequence[tuple[float, float]]) -> float:
        """The radius that reaches every value of the range. widths: (how many numbers, high - low) of each tensor.

        Either is infinite where nothing is known of it yet.
        """
        raise NotImplementedError

    def build(self, input: str, tensors: Mapping[str, Movable]) -> Threat:
        """The threat to the tensors (flat name -> what it is) of the named input."""
        raise NotImplementedError

    def on(self, inputs: Mapping[str, Mapping[str, Movable]]) -> Threat:
        """The threat to the chosen one of `inputs`: name -> part -> tensor. A RequestError as `choose` says it."""
        found = {name: {part: t for part, t in parts.items() if t.range is not None} for name, parts in inputs.items()}
        try:
            name = self.choose({name: bool(parts) for name, parts in found.items()})
        except ValueError as error:
            raise RequestError(str(error)) from None
        return self.build(name, {f"{name}/{part}" if part else name: t for part, t in found[name].items()})

    def choose(self, continuous: Mapping[str, bool]) -> str:
        """The input that is moved. continuous: input -> whether it has values that can be moved.

        A ValueError where `input` names no such input, and where it is left out and there is not exactly one.
        """
        able = [name for name, there in continuous.items() if there]
        if not able:
            raise ValueError(NOTHING)
        if self.input is None:
            if len(able) > 1:
                raise ValueError(
                    f"threat.input: is needed, since {' and '.join(able)} are continuous; name one of them"
                )
            return able[0]
        if self.input not in continuous:
            raise ValueError(f"threat.input: '{self.input}' is no input; {nearest(self.input, able)}")
        if self.input not in able:
            raise ValueError(
                f"threat.input: '{self.input}' holds no continuous values to move; valid: {', '.join(able)}"
            )
        return self.input

    def fault(self, epsilon: float, largest: float) -> str | None:
        """What is wrong with a radius, None for a sound one. largest: as `largest` gives it."""
        if math.isfinite(epsilon) and 0 <= epsilon <= largest:
            return None
        limits = "0 or more" if math.isinf(largest) else f"0 to {largest:g}"
        return f"must be {self.radius}, {limits}; got {epsilon:g}; write {_instead(epsilon, largest)}"

    def fault_of_span(self, lowest: float, peak: float, largest: float) -> str | None:
        """What is wrong with radii that grow from `lowest` to `peak`, None for sound ones."""
        if lowest < 0:
            limits = "is 0 or more" if math.isinf(largest) else f"lies in [0, {largest:g}]"
            return f"{lowest:g} is negative; a radius {limits}"
        if peak > largest:
            return f"{peak:g} is outside {self.within} [0, {largest:g}]; write {_instead(peak, largest)}"
        return None


def _instead(epsilon: float, largest: float) -> str:
    """What was probably meant: pixels are written as a share of 255."""
    if largest < epsilon <= 255:
        return f"{epsilon:g}/255 = {epsilon / 255:.4f}"
    return "8/255 = 0.0314"


class Threat(ABC):
    """What may be done to the continuous tensors of one input. Pure: every method belongs to its rows.

    input: whose presence flag says whether a row has anything to move. tensors: flat names in order. The values of a
    row are one tensor, (batch, ...): a single tensor in its own shape, several ones flattened and joined. element: what
    one of them is called.
    """

    def __init__(self, config: ThreatConfig, input: str, tensors: Mapping[str, Movable]):
        self.config, self.input, self.tensors = config, input, tuple(tensors)
        self.element = " or ".join(dict.fromkeys(tensor.element for tensor in tensors.values()))
        self._shapes = [tuple(tensor.shape) for tensor in tensors.values()]
        self._ranges = [tensor.range or (-math.inf, math.inf) for tensor in tensors.values()]
        numbers = [math.prod(shape) for shape in self._shapes]
        self.largest = config.largest([(n, high - low) for n, (low, high) in zip(numbers, self._ranges, strict=True)])

    @abstractmethod
    def start(self, batch: Batch, epsilon: float, key: int) -> Tensor:
        """A uniform draw from the ball for each row, brought into the range; a function of (key, row, epoch) alone."""

    @abstractmethod
    def project(self, moved: Tensor, clean: Tensor, epsilon: float) -> Tensor:
        """The point of ball and range that is nearest to `moved`. clean: inside the range."""

    @abstractmethod
    def steepest(self, gradient: Tensor) -> Tensor:
        """The step of unit size along which a function of this gradient grows fastest; 0 where the gradient is 0."""

    @abstractmethod
    def push(self, moved: Tensor, clean: Tensor, toward: Tensor, epsilon: float) -> Tensor:
        """`moved` pushed as far as a search without gradients should go: up where `toward` is 1, down where it is -1.

        toward: shaped as the values; 0 for what is left to itself, which may shrink to make room.
        """

    def check_radius(self, epsilon: float, field: str = "epsilon") -> float:
        """`epsilon` itself when it is sound; otherwise a RequestError that names `field`."""
        if fault := self.config.fault(epsilon, self.largest):
            raise RequestError(f"{field}: {fault}")
        return epsilon

    def there(self, batch: Batch) -> Tensor:
        """(batch,) bool: the row has something to move."""
        return batch.present.get(self.input, torch.ones_like(batch.rows, dtype=torch.bool))

    def reads(self, batch: Batch) -> bool:
        """Whether the batch has the tensors of the input."""
        return all(name in batch.inputs for name in self.tensors)

    def read(self, batch: Batch) -> Tensor:
        """The values that may move: (batch, ...)."""
        values = [batch.inputs[name] for name in self.tensors]
        return values[0] if len(values) == 1 else torch.cat([v.flatten(1) for v in values], 1)

    def write(self, batch: Batch, values: Tensor) -> Batch:
        """The batch with these values in place of its own."""
        if len(self.tensors) == 1:
            return batch.with_input(self.tensors[0], values)
        parts = values.split([math.prod(shape) for shape in self._shapes], 1)
        for name, part, shape in zip(self.tensors, parts, self._shapes, strict=True):
            batch = batch.with_input(name, part.reshape(len(part), *shape))
        return batch

    def put(self, batch: Batch, rows: Tensor, moved: Batch) -> Batch:
        """The batch with the values of `moved` at the positions `rows`."""
        for name in self.tensors:
            batch = batch.with_input(name, batch.inputs[name].index_copy(0, rows, moved.inputs[name]))
        return batch

    def inside(self, values: Tensor) -> Tensor:
        """The values, clipped to the range."""
        low, high = self.limits(values)
        return torch.clamp(values, low, high)  # type: ignore[arg-type]

    def limits(self, like: Tensor) -> tuple[Limit, Limit]:
        """The lowest and the highest value; tensors shaped as a row where several tensors have their own."""
        if len(self._ranges) == 1:
            return self._ranges[0]
        sizes = [math.prod(shape) for shape in self._shapes]
        ends = ([r[end] for r in self._ranges] for end in (0, 1))
        low, high = (torch.cat([like.new_full((n,), v) for n, v in zip(sizes, values, strict=True)]) for values in ends)
        return low, high
