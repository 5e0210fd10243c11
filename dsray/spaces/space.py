"""The base of all spaces, and where their numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from dsray.base import Plugin


class Draw(Protocol):
    """Where a space takes its parameters from: an Optuna trial, or fixed values. Both bounds are included."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`."""
        ...


class SpaceConfig(Plugin):
    """Base of what a sweep may draw at one dotted path."""

    def draw(self, source: Draw, name: str) -> Any:
        """The value at the path for one trial. name: the dotted path; parameters are called `name` or `name.part`."""
        raise NotImplementedError

    def probes(self) -> list[Any]:
        """Values at the edges of the range and inside it: if the experiment accepts them, it accepts all."""
        raise NotImplementedError

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        """The parameters that `draw` would turn into `node`, the value in the file; None when none would."""
        raise NotImplementedError
