"""What a sampler is: the order in which a stage sees its rows, as a pure function of the position."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dsray.base import Plugin
from dsray.data.facts import Facts


class Sampler(Protocol):
    """The order of a stage's rows. It is pickled once for the data tasks, which ask it for pieces in any order."""

    def __call__(self, seed: int, stage: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Row ids and epochs, both (last - first,) int64, of the positions first..last-1; arrays of the caller's own.

        epoch: how often the row was drawn at earlier positions, so that no draw of a row has the noise of another.
        """
        ...


class SamplerConfig(Plugin):
    """Base of all samplers."""

    def build(self, facts: Facts, rows: np.ndarray, strata: np.ndarray) -> Sampler:
        """The sampler itself.

        rows: (n,) int64, at least one, the ids of the stage's rows. strata: (n,) int64, the class of each. facts: of the
        stage.
        """
        raise NotImplementedError
