"""Random search in the ball by scores alone: the Square Attack (Andriushchenko et al. 2020, arXiv 1912.00049).

It needs no gradient, so it sees through models whose gradients mislead: quantised inputs, hard routing, early exits.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dsray.attacks.config import Attack, AttackConfig
from dsray.attacks.threats import Threat
from dsray.base.batch import Batch
from dsray.base.noise import key_of, uniform_torch
from dsray.base.protocols import Classifier, RowLoss
from dsray.likelihoods import likelihood_of

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries, as in the paper


class RandomSearchConfig(AttackConfig):
    """Black-box check: squares pushed up or down at random places, kept where they bring the row closer to an error."""

    kind: Literal["random_search"] = "random_search"
    queries: int = Field(200, ge=1, le=100_000, description="forward passes per row")
    square: float = Field(0.8, gt=0, le=1, description="area of the first squares as a share of the input")

    @property
    def name(self) -> str:
        return f"random_search-{self.queries}" + ("" if self.square == 0.8 else f"-square{self.square:g}")

    def build(self) -> Attack:
        return RandomSearch(self.name, self.queries, self.square)


class RandomSearch:
    """`queries` forward passes; rows that have fallen leave early when `stop_early`."""

    def __init__(self, name: str, queries: int, square: float):
        self.name, self.queries, self.square = name, queries, square

    @torch.no_grad()
    def __call__(
        self,
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        loss: RowLoss | None = None,
        *,
        seed: int = 0,
        stop_early: bool = False,
    ) -> Batch:
        """The batch with each row at the highest loss that was met; the loss is the margin unless given."""
        likelihood = likelihood_of(model)
        climb = loss or likelihood.margin
        whole, result = batch, threat.read(batch).clone()
        rows = torch.arange(len(batch), device=batch.device)
        moved = _stripes(batch, threat, epsilon, key_of(seed, self.name, "stripes"))
        logits = model(threat.write(batch, moved))
        value, wrong = climb(logits, batch.target), likelihood.wrong(logits, batch.target)
        for query in range(1, self.queries):
            if stop_early and wrong.any():
                result[rows] = moved
                keep = ~wrong
                batch, rows, moved = batch.select(keep), rows[keep], moved[keep]
                value, wrong = value[keep], wrong[keep]
                if len(rows) == 0:
                    break
            toward = self._square(batch, threat.read(batch), query, key_of(seed, self.name, query))
            proposal = threat.push(moved, threat.read(batch), toward, epsilon)
            logits = model(threat.write(batch, proposal))
            there = climb(logits, batch.target)
            better = there >= value  # equal values too: on a plateau the search must be able to walk
            moved = torch.where(better.reshape(-1, *[1] * (moved.ndim - 1)), proposal, moved)
            value = torch.where(better, there, value)
            wrong = torch.where(better, likelihood.wrong(logits, batch.target), wrong)
        result[rows] = moved
        return threat.write(whole, result)

    def _square(self, batch: Batch, clean: Tensor, query: int, key: int) -> Tensor:
        """Shaped as `clean`: +-1 per channel inside a square at a place of each row's own, 0 elsewhere.

        Axes after the channels are places: two make squares, one makes stretches.
        """
        channels, places = _axes(clean)
        done = 10_000 * query // self.queries
        size = self.square * 0.5 ** sum(done > limit for limit in _HALVINGS) * math.prod(places)
        side = min(max(1, round(size ** (1 / len(places)))), *places)
        draws = uniform_torch(key, batch.rows, batch.epochs, (len(places) + channels,))
        inside = torch.ones(len(batch), 1, *places, dtype=torch.bool, device=clean.device)
        for axis, length in enumerate(places):
            first = _along((draws[:, axis] * (length - side + 1)).long()[:, None], axis, len(places))
            at = _along(torch.arange(length, device=clean.device)[None], axis, len(places))
            inside &= (at >= first) & (at < first + side)
        sign = torch.where(draws[:, len(places) :] < 0.5, -1.0, 1.0)
        return torch.where(inside, sign.reshape(*sign.shape, *[1] * len(places)), 0.0).reshape(clean.shape)


def _axes(values: Tensor) -> tuple[int, tuple[int, ...]]:
    """Channels and places of (batch, channels, place, ...); numbers without channels, (batch, numbers), have one."""
    shape = tuple(values.shape[1:])
    return (shape[0], shape[1:]) if len(shape) > 1 else (1, shape)


def _along(values: Tensor, axis: int, axes: int) -> Tensor:
    """(batch, n) as (batch, 1, ..., n, ..., 1), with n on this axis of the places."""
    return values.reshape(len(values), 1, *[-1 if i == axis else 1 for i in range(axes)])


def _stripes(batch: Batch, threat: Threat, epsilon: float, key: int) -> Tensor:
    """The paper's first guess: vertical stripes of +-epsilon, a sign for each column and channel."""
    clean = threat.read(batch)
    channels, places = _axes(clean)
    draws = uniform_torch(key, batch.rows, batch.epochs, (channels, *[1] * (len(places) - 1), places[-1]))
    signs = torch.where(draws < 0.5, -1.0, 1.0).expand(-1, -1, *places).reshape(clean.shape)
    return threat.push(clean, clean, signs, epsilon)
