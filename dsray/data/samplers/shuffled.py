"""Every row once an epoch, in an order of that epoch's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dsray.data.facts import Facts
from dsray.data.order import draw_range
from dsray.data.samplers.sampler import Sampler, SamplerConfig


@dataclass(frozen=True, eq=False)
class Shuffled:
    """rows: (n,) int64 row ids."""

    rows: np.ndarray

    def __call__(self, seed: int, stage: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        return draw_range(seed, stage, self.rows, 1, first, last)


class ShuffledConfig(SamplerConfig):
    """Every row once an epoch, so that classes come as often as they are."""

    kind: Literal["shuffled"] = "shuffled"

    def build(self, facts: Facts, rows: np.ndarray, strata: np.ndarray) -> Sampler:
        return Shuffled(rows)
