"""Random numbers that belong to a row: a pure function of (key, row, element), the same on any worker and device.

A counter-based generator (SplitMix64, Steele et al. 2014) hashes the three integers, so a row gets the same noise
wherever and in whatever company it is computed. NumPy for the data pipeline, torch for attacks; both give equal bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 2
"""To be raised whenever the same seed gives other numbers: what was trained with the others is not gone on with."""

_GOLDEN, _MIX1, _MIX2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def key_of(*parts: int | str) -> int:
    """A 64-bit key from a seed and words: `key_of(seed, "gaussian", epoch)`.

    Parts are kept apart: ("ab", "c") and ("a", "bc") are two keys, and so are ("1",) and (1,).
    """
    state = 0
    for position, part in enumerate(parts):
        words = part.encode() if isinstance(part, str) else (part & (2**64 - 1),)
        if position or not isinstance(part, str):  # the key of one word alone is that of its bytes
            state = _mix_int(state + _MIX1 + (len(words) + 1 if isinstance(part, str) else 0))
        for word in words:
            state = _mix_int((state ^ word) + _GOLDEN)
    return state


def _mix_int(x: int) -> int:
    x &= 2**64 - 1
    x = ((x ^ (x >> 30)) * _MIX1) & (2**64 - 1)
    x = ((x ^ (x >> 27)) * _MIX2) & (2**64 - 1)
    return x ^ (x >> 31)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX2)
    return x ^ (x >> np.uint64(31))


def mixed(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) uint64: a hash of each value under its key; both (n,) uint64."""
    with np.errstate(over="ignore"):
        return _mix(_mix(keys + values * np.uint64(_GOLDEN)) + np.uint64(_MIX1))


def uniform(key: int, rows: np.ndarray, epochs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(rows, *shape) float32 in [0, 1): independent of the order and company of the rows.

    rows, epochs: (rows,) integers that identify the draw.
    """
    with np.errstate(over="ignore"):
        base = _mix(
            _mix(rows.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(key & (2**64 - 1))) ^ epochs.astype(np.uint64)
        )
        index = np.arange(math.prod(shape), dtype=np.uint64) * np.uint64(_GOLDEN)
        bits = _mix(base[:, None] + index[None, :]) >> np.uint64(40)
    return (bits.astype(np.float32) / np.float32(2**24)).reshape(len(rows), *shape)


def normal(key: int, rows: np.ndarray, epochs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(rows, *shape) float32, standard normal by Box-Muller, seeded as `uniform` is."""
    both = uniform(key, rows, epochs, (2, *shape)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log1p(-both[:, 0]))
    return (radius * np.cos(2 * np.pi * both[:, 1])).astype(np.float32)


def uniform_torch(key: int, rows: Tensor, epochs: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`uniform` on the device of `rows`: bit for bit the NumPy values."""
    import torch

    def wrap(value: int) -> int:
        value &= 2**64 - 1
        return value - 2**64 if value >= 2**63 else value

    def shift(x: Tensor, by: int) -> Tensor:
        return (x >> by) & ((1 << (64 - by)) - 1)  # logical, not arithmetic

    def mix(x: Tensor) -> Tensor:
        x = (x ^ shift(x, 30)) * wrap(_MIX1)
        x = (x ^ shift(x, 27)) * wrap(_MIX2)
        return x ^ shift(x, 31)

    base = mix(mix(rows * wrap(_GOLDEN) + wrap(key)) ^ epochs)
    index = torch.arange(math.prod(shape), dtype=torch.int64, device=rows.device) * wrap(_GOLDEN)
    bits = shift(mix(base[:, None] + index[None, :]), 40)
    return (bits.to(torch.float32) / 2**24).reshape(len(rows), *shape)


def normal_torch(key: int, rows: Tensor, epochs: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`normal` on the device of `rows`, to the last bits of its logarithm and cosine."""
    both = uniform_torch(key, rows, epochs, (2, *shape)).double()
    radius = (-2.0 * (-both[:, 0]).log1p()).sqrt()
    return (radius * (2 * math.pi * both[:, 1]).cos()).float()
