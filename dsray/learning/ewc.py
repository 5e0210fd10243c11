"""Elastic weight consolidation (Kirkpatrick et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Anchor:
    """Where the parameters stood after a task, and how much each mattered to it.

    values, fisher: parameter name -> tensor in the shape of the parameter; fisher >= 0.
    """

    values: Mapping[str, Tensor]
    fisher: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: nn.Module, fisher: Mapping[str, Tensor]) -> Anchor:
        """The model as it stands now, under `fisher`."""
        parameters = dict(model.named_parameters())
        return cls({name: parameters[name].detach().clone() for name in fisher}, dict(fisher))


def ewc_penalty(parameters: Mapping[str, Tensor], anchors: Iterable[Anchor], limit: float = 1e4) -> Tensor:
    """Sum over anchors of 1/2 F (theta - theta*)^2, a scalar.

    limit: upper bound of each Fisher value, so that rate x strength x F cannot overshoot.
    """
    total = next(iter(parameters.values())).new_zeros(())
    for anchor in anchors:
        for name in sorted(anchor.fisher):  # a fixed order, so that an anchor read from disk sums to the same bits
            moved = parameters[name] - anchor.values[name]
            total = total + 0.5 * (torch.clamp(anchor.fisher[name], max=limit) * moved * moved).sum()
    return total
