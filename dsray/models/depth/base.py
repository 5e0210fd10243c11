"""Which blocks a row runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError
from torch import Tensor

from dsray.base import Plugin


@dataclass(frozen=True)
class Depth:
    """Where rows may leave the trunk, and how far they may go.

    exits: numbers of the blocks (1 = first) after which a row may leave, ascending. limit: most blocks of any row.
    threshold: confidence (largest softmax probability) from which on a row leaves.
    """

    exits: tuple[int, ...]
    limit: int
    threshold: float

    def leaves(self, logits: Tensor) -> Tensor:
        """(batch, classes) logits of an exit -> (batch,) bool, decided for each row alone."""
        return torch.softmax(logits, dim=-1).amax(dim=-1) >= self.threshold


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
