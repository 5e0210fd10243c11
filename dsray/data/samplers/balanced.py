"""Every class equally often, however many rows it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from dsray.base import RequestError
from dsray.base.noise import key_of, mixed
from dsray.data.facts import Facts
from dsray.data.permuted import permuted
from dsray.data.samplers.sampler import Sampler, SamplerConfig

PIECE = 4096
"""Positions that are worked out at once."""


@dataclass(frozen=True, eq=False)
class Balanced:
    """Position p stands in cycle p // classes, which holds one row of each class in an order of its own.

    rows: (n,) int64 row ids, class after class. starts, counts: (classes,) int64, where the rows of each class begin and
    how many they are, at least one. In cycle c a class gives its row c of an order that is new for each pass over its rows.
    """

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def __call__(self, seed: int, stage: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        if last <= first:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        number, start = first // PIECE, first % PIECE
        pieces = [_piece(self, seed, stage, n) for n in range(number, (last - 1) // PIECE + 1)]
        rows, passes = np.concatenate(pieces, axis=1)[:, start : start + last - first].copy()
        return rows, passes


@lru_cache(maxsize=2)
def _piece(order: Balanced, seed: int, stage: str, number: int) -> np.ndarray:
    """(2, PIECE) int64: row ids and passes of the positions number * PIECE, ...; a batch alone would cost as much."""
    classes = len(order.counts)
    cycles, slots = np.divmod(np.arange(number * PIECE, (number + 1) * PIECE, dtype=np.int64), classes)
    of_cycle = _keys(key_of(seed, stage, "cycle"), cycles)
    chosen = permuted(slots, np.full(PIECE, classes, np.int64), of_cycle)
    counts = order.counts[chosen]
    passes, places = np.divmod(cycles, counts)
    of_pass = mixed(_keys(key_of(seed, stage, "pass"), chosen), passes.astype(np.uint64))
    return np.stack([order.rows[order.starts[chosen] + permuted(places, counts, of_pass)], passes])


def _keys(key: int, values: np.ndarray) -> np.ndarray:
    return mixed(np.full(len(values), key, np.uint64), values.astype(np.uint64))


class BalancedConfig(SamplerConfig):
    """Every class equally often: rows of rare classes come again sooner, and an epoch is as many draws as there are rows."""

    kind: Literal["balanced"] = "balanced"

    def build(self, facts: Facts, rows: np.ndarray, strata: np.ndarray) -> Sampler:
        if len(facts.counts) == 1:
            raise RequestError("kind: balanced draws every class equally often, and this target has none; use shuffled")
        _, starts, counts = np.unique(np.sort(strata), return_index=True, return_counts=True)
        return Balanced(rows[np.argsort(strata, kind="stable")], starts, counts)
