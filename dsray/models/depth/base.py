"""Which blocks a row runs."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError
from torch import Tensor

from dsray.base import Plugin


@dataclass(frozen=True)
class Depth:
    """Where rows may leave the trunk, and how far they may go.

    exits: numbers of the blocks (1 = first) after which a row may leave, ascending. limit: most blocks of any row.
    threshold: confidence (the model's probability that its answer is right) from which on a row leaves.
    """

    exits: tuple[int, ...]
    limit: int
    threshold: float

    def leaves(self, confidence: Tensor) -> Tensor:
        """(batch,) confidence in the answer of an exit -> (batch,) bool, decided for each row alone."""
        return confidence >= self.threshold


class DepthConfig(Plugin):
    """Base of the depth policies."""

    def check(self, blocks: int) -> None:
        """Refuse what does not fit a trunk of `blocks` blocks, by `refuse`."""

    def build(self, blocks: int) -> Depth:
        """The policy for a trunk of `blocks` blocks."""
        raise NotImplementedError

    @staticmethod
    def refuse(field: str, value: object, sentence: str) -> ValidationError:
        """The error that names `field` of this config by its dotted path in the experiment."""
        fault = PydanticCustomError("depth", "{why}", {"why": sentence})
        return ValidationError.from_exception_data("depth", [InitErrorDetails(type=fault, loc=(field,), input=value)])
