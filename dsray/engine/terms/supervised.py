"""What the terms share that teach the target itself: its loss over all exits, which classes count, and how hard rows do."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output
from dsray.data.facts import Facts
from dsray.engine.context import Context
from dsray.engine.terms.term import TermConfig


class SupervisedConfig(TermConfig):
    """Base of the terms that teach the target."""

    exit_weight: float = Field(0.5, ge=0, description="weight of each early exit beside the final one's 1")
    weights: Literal["balanced"] | dict[str, float] | None = Field(
        None,
        description="factor on the loss of the rows of each class, or of a label where a row has it: balanced, so that all "
        "classes of the stage weigh the same and the mean over its rows is 1, or rows with a label as much as those without "
        "it; or name: factor, 1 where none is given; null for none",
    )
    focal: float = Field(
        0.0,
        ge=0,
        description="exponent gamma of the focal loss, by which rows that are answered well count less; 0 for none",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _weights_are_factors(cls, given: object) -> object:
        if isinstance(given, dict):
            for name, factor in given.items():
                if not isinstance(name, str):
                    raise ValueError(f"names are strings; write '{name}' in quotes")
                if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
                    raise ValueError(f"the factor of '{name}' must be a number above 0; got {factor!r}")
        elif given not in (None, "balanced"):
            raise ValueError(f"must be balanced, or factors by name; got {given!r}")
        return given

    def losses(self, facts: Facts, smoothing: float = 0.0) -> Callable[[Context, Output], Tensor]:
        """(context, one of its outputs) -> loss per row (batch,). A RequestError for what does not fit the target."""
        facts.schema.target.check_loss(smoothing=smoothing, focal=self.focal)
        given = self.weights
        factors = (
            None if given is None else torch.from_numpy(facts.schema.target.weights(given, facts.counts, "weights"))
        )

        @lru_cache(1)
        def on(device: torch.device) -> Tensor | None:
            return None if factors is None else factors.to(device)

        def loss(context: Context, output: Output) -> Tensor:
            return supervised(
                context.likelihood,
                output,
                context.batch.target,
                exit_weight=self.exit_weight,
                smoothing=smoothing,
                focal=self.focal,
                weights=on(output.logits.device),
            )

        return loss


def supervised(
    likelihood: Likelihood,
    output: Output,
    target: Tensor,
    *,
    exit_weight: float,
    smoothing: float = 0.0,
    focal: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """(batch,): the loss of the final answer plus `exit_weight` times that of each early exit, normalised.

    Deep supervision (Lee et al. 2015) teaches every exit to answer on its own.
    """
    final = likelihood.loss(output.logits, target, smoothing=smoothing, focal=focal, weights=weights)
    early = output.exits[:-1]
    if not early or exit_weight == 0:
        return final
    for logits in early:
        loss = likelihood.loss(logits, target, smoothing=smoothing, focal=focal, weights=weights)
        final = final + exit_weight * loss
    return final / (1 + exit_weight * len(early))
