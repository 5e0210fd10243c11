"""A sampler that breaks a promise is found out."""

from __future__ import annotations

import numpy as np
import pytest
from broken import broken

from dsray.base.noise import key_of
from dsray.data.samplers import SamplerConfig
from dsray.testing import check_sampler


class Cycle:
    """Row after row, from a place that belongs to seed and stage."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, seed, stage, first, last):
        epochs, places = np.divmod(np.arange(first, last), len(self.rows))
        return np.roll(self.rows, key_of(seed, stage) % len(self.rows))[places], epochs


class CycleConfig(SamplerConfig):
    """Right: no shuffling at all."""

    kind: str = "cycle"

    def build(self, facts, rows, strata):
        return Cycle(rows)


def test_a_sampler_of_another_package_keeps_its_promises():
    check_sampler(CycleConfig())


class Foreign(Cycle):
    def __call__(self, seed, stage, first, last):
        rows, epochs = super().__call__(seed, stage, first, last)
        return rows + 1000, epochs


class Forgetful(Cycle):
    def __call__(self, seed, stage, first, last):
        rows, epochs = super().__call__(seed, stage, first, last)
        return rows, epochs * 0


class Counting(Cycle):
    asked = 0

    def __call__(self, seed, stage, first, last):
        self.asked += 1
        return super().__call__(seed + self.asked, stage, first, last)


class OneOrder(Cycle):
    def __call__(self, seed, stage, first, last):
        return super().__call__(seed, "", first, last)


class Own(Cycle):
    def __call__(self, seed, stage, first, last):
        rows, epochs = super().__call__(seed, stage, 0, 1000)
        self.__dict__.setdefault(f"{seed} {stage}", (rows, epochs))
        rows, epochs = self.__dict__[f"{seed} {stage}"]
        return rows[first:last], epochs[first:last]


class Short(Cycle):
    def __call__(self, seed, stage, first, last):
        return super().__call__(seed, stage, first, last - 1)


def sorting(self, facts, rows, strata):
    rows[:] = rows[::-1].copy()
    return Cycle(rows.copy())


@pytest.mark.parametrize(
    ("build", "promise"),
    [
        (lambda self, facts, rows, strata: Foreign(rows), "a row that is not the stage's"),
        (lambda self, facts, rows, strata: Forgetful(rows), "two draws of a row have one epoch"),
        (lambda self, facts, rows, strata: Counting(rows), "a piece differs"),
        (lambda self, facts, rows, strata: OneOrder(rows), "another stage gives the same order"),
        (lambda self, facts, rows, strata: Own(rows), "not the caller's own"),
        (lambda self, facts, rows, strata: Short(rows), r"gave int64 \(194,\), needs int64 \(195,\)"),
        (sorting, "built again, it draws otherwise|wrote into the rows"),
    ],
)
def test_a_broken_sampler_is_found_out(build, promise):
    with pytest.raises(AssertionError, match=promise):
        check_sampler(broken(CycleConfig, build=build))
