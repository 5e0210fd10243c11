"""Keyed permutations that are computed place by place, so that none is ever held in memory."""

from __future__ import annotations

import numpy as np

from dsray.base.noise import mixed

ROUNDS = 6


def permuted(places: np.ndarray, sizes: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(n,) int64: where a permutation of range(size) puts each place; one permutation for each key and size.

    places: (n,) in [0, size). sizes: (n,) at least 1. keys: (n,) uint64. A Feistel network (Luby and Rackoff 1988) permutes
    the next larger square of a power of two; what falls outside of the range walks on until it is inside (Black and
    Rogaway 2002).
    """
    found = np.array(places, np.uint64)
    walking = np.arange(len(found))
    half = _half_bits(sizes)
    sizes = np.asarray(sizes).astype(np.uint64)
    while len(walking):
        found[walking] = _feistel(found[walking], half[walking], keys[walking])
        walking = walking[found[walking] >= sizes[walking]]
    return found.astype(np.int64)


def _half_bits(sizes: np.ndarray) -> np.ndarray:
    """(n,) uint64: half of the bits, at least 1, of the square that holds range(size)."""
    bits = np.frexp(np.asarray(sizes, np.float64) - 0.5)[1]  # of size - 1, exactly below 2^52
    return np.maximum((bits + 1) // 2, 1).astype(np.uint64)


def _feistel(values: np.ndarray, half: np.ndarray, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for turn in range(ROUNDS):
        left, right = right, left ^ (mixed(keys, right + np.uint64(turn << 32)) & mask)
    return (left << half) | right
