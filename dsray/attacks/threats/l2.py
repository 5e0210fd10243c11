"""The L2 ball: the Euclidean distance of the whole input is at most epsilon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from dsray.attacks.threats.threat import Movable, Threat, ThreatConfig
from dsray.base.batch import Batch
from dsray.base.noise import normal_torch


class L2Config(ThreatConfig):
    """The input moves by at most epsilon in Euclidean distance over all its numbers; more than 1 is usual."""

    kind: Literal["l2"] = "l2"

    @property
    def units(self) -> str:
        return f"L2, in units of {self.whom}"

    @property
    def radius(self) -> str:
        return "a Euclidean distance in input-range units"

    @property
    def within(self) -> str:
        return "the distances in the input range,"

    def largest(self, widths: Sequence[tuple[float, float]]) -> float:
        return math.sqrt(sum(numbers * width**2 for numbers, width in widths))

    def build(self, input: str, tensors: Mapping[str, Movable]) -> Threat:
        return L2(self, input, tensors)


class L2(Threat):
    """Balls around the clean values, cut by the range; see `Threat`."""

    def start(self, batch: Batch, epsilon: float, key: int) -> Tensor:
        # the first n of n + 2 coordinates of a point on a sphere are uniform in the ball (Voelker et al. 2017)
        clean = self.read(batch)
        numbers = math.prod(clean.shape[1:])
        drawn = normal_torch(key, batch.rows, batch.epochs, (numbers + 2,))
        offset = (drawn / drawn.norm(dim=1, keepdim=True))[:, :numbers].reshape(clean.shape)
        return self.project(clean + epsilon * offset.to(clean.dtype), clean, epsilon)

    def project(self, moved: Tensor, clean: Tensor, epsilon: float) -> Tensor:
        low, high = self.limits(clean)
        offset = moved - clean
        room = torch.where(offset > 0, high - clean, clean - low).flatten(1)
        distance = offset.flatten(1).abs()
        # what adding may round off: without it a point on the sphere would be projected again
        slack = 2 * torch.finfo(clean.dtype).eps * (clean.flatten(1).norm(dim=1) + epsilon)
        outside = torch.minimum(distance, room).norm(dim=1) > epsilon + slack
        scaled = clean + _like(_shrunk(distance, room, epsilon), clean) * offset
        return self.inside(torch.where(_like(outside, clean), scaled, moved))

    def steepest(self, gradient: Tensor) -> Tensor:
        return _unit(gradient)

    def push(self, moved: Tensor, clean: Tensor, toward: Tensor, epsilon: float) -> Tensor:
        # as far as the corner of the L-inf ball of the same Euclidean size is from its opposite
        reach = 2 * epsilon / math.sqrt(math.prod(clean.shape[1:]))
        return self.project(moved + reach * toward, clean, epsilon)


def _shrunk(distance: Tensor, room: Tensor, epsilon: float) -> Tensor:
    """(batch,): the factor t at which offsets of t x distance, none longer than its room, have the norm epsilon.

    distance, room: (batch, numbers). The nearest point of ball and range lies on this path (its Lagrange conditions):
    numbers that meet the range stay there, the others share the radius that is left. Each round finds those that meet
    it at a factor that is too small, so that the factor only grows and a row that is done stays as it is.
    """
    tiny = torch.finfo(distance.dtype).tiny
    longest = distance.amax(1, keepdim=True).clamp(min=tiny)
    share = distance / longest  # squares of what an attack proposes might overflow
    factor, met = torch.zeros_like(longest), torch.zeros_like(distance, dtype=torch.bool)
    while True:
        left = (epsilon**2 - room.where(met, 0.0).square().sum(1, keepdim=True)).clamp(min=0.0)
        free = share.masked_fill(met, 0.0).square().sum(1, keepdim=True)
        factor = torch.where(free > 0, (left / free.clamp(min=tiny)).sqrt(), factor)
        meet = factor * share >= room
        if not (meet & ~met).any():
            return (factor / longest)[:, 0]
        met |= meet


def _unit(values: Tensor) -> Tensor:
    """Each row at norm 1, 0 where it is 0; the largest number is brought to 1 first, so that no square underflows."""
    flat = values.flatten(1)
    largest = flat.abs().amax(1, keepdim=True)
    flat = flat / largest.where(largest > 0, 1.0)
    norm = flat.norm(dim=1, keepdim=True)
    return (flat / norm.where(norm > 0, 1.0)).reshape(values.shape)


def _like(row: Tensor, values: Tensor) -> Tensor:
    """(batch,) as (batch, 1, ...), to go with `values`."""
    return row.reshape(-1, *[1] * (values.ndim - 1))
