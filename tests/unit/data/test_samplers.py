"""Samplers: each class equally often, the same rows on any number of workers and after any resume."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest

from dsray.data import BalancedConfig, Draws, Facts, Shuffled, ShuffledConfig, draw
from dsray.data.permuted import permuted

ROWS = {0: 600, 1: 10, 2: 50, 5: 1}
STRATA = np.random.default_rng(0).permutation(np.repeat(list(ROWS), list(ROWS.values())))
IDS = np.arange(len(STRATA)) * 3 + 7
CLASS = dict(zip(IDS.tolist(), STRATA.tolist(), strict=True))


def built(config, digits, strata=STRATA, rows=IDS):
    return config.build(Facts(digits.schema, np.bincount(strata), 10), rows, strata)


@pytest.fixture
def balanced(digits):
    return built(BalancedConfig(), digits)


@pytest.mark.parametrize("batch", [1, 7, 64, 800])
def test_shuffled_is_the_order_that_always_was(digits, batch):
    draws = Draws(3, "clean", built(ShuffledConfig(), digits), batch, IDS[:0], 0)
    for step in (0, 1, 5, 93):
        assert all(np.array_equal(a, b) for a, b in zip(draws(step), draw(3, "clean", IDS, batch, step), strict=True))


@pytest.mark.parametrize("first", [0, 4, 4000, 40_000])
@pytest.mark.parametrize("cycles", [1, 25, 1500])
def test_every_class_is_drawn_equally_often_over_whole_cycles(balanced, first, cycles):
    rows, _ = balanced(0, "clean", first, first + 4 * cycles)
    assert Counter(CLASS[row] for row in rows.tolist()) == dict.fromkeys(ROWS, cycles)


def test_a_class_gives_each_of_its_rows_once_a_pass_in_an_order_of_that_pass(balanced):
    rows, epochs = balanced(0, "clean", 0, 4 * 60)
    ten = np.array([CLASS[row] for row in rows.tolist()]) == 1
    passes = rows[ten].reshape(6, 10)
    assert epochs[ten].tolist() == [n for n in range(6) for _ in range(10)]
    assert all(sorted(one) == sorted(passes[0]) for one in passes.tolist())
    assert len({tuple(one) for one in passes.tolist()}) == 6
    only = np.array([CLASS[row] for row in rows.tolist()]) == 5
    assert epochs[only].tolist() == list(range(60)), "the epoch of a row is how often it was drawn before"


def test_the_classes_of_a_cycle_stand_in_every_place(balanced):
    rows, _ = balanced(1, "clean", 0, 4 * 4000)
    places = np.array([CLASS[row] for row in rows.tolist()]).reshape(4000, 4)
    counts = np.array([[(places[:, i] == name).sum() for name in ROWS] for i in range(4)])
    assert abs(counts - 1000).max() < 120


@pytest.mark.parametrize("size", [2, 3])
def test_workers_and_resumed_runs_draw_the_same(balanced, size):
    draws = Draws(5, "clean", balanced, 50, IDS[:30], 20)
    whole = [draws(step) for step in range(200)]
    later = pickle.loads(pickle.dumps(draws))
    assert all(np.array_equal(a, b) for a, b in zip(later(150), whole[150], strict=True))
    for first in (0, 61, 137):
        shares = [later.slice(first, first + 3, rank, size) for rank in range(size)]
        expected = [
            np.concatenate([whole[first + n][i][rank::size] for n in range(3)]) for rank in range(size) for i in (0, 1)
        ]
        assert all(
            np.array_equal(a, b) for a, b in zip([part for share in shares for part in share], expected, strict=True)
        )
    rows = np.concatenate([rows[:30] for rows, _ in whole])  # 30 new ones of each batch
    assert set(Counter(CLASS[row] for row in rows.tolist()).values()) == {1500}


def test_ten_thousand_classes_take_little_memory(digits):
    strata = np.random.default_rng(1).integers(0, 10_000, 200_000)
    sampler = built(BalancedConfig(), digits, strata, np.arange(len(strata)))
    assert len(pickle.dumps(sampler)) < 1.2 * 8 * len(strata)
    rows, _ = sampler(0, "clean", 0, 30_000)
    assert set(np.bincount(strata[rows], minlength=10_000).tolist()) == {3}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 1000, 4097])
def test_a_permutation_that_is_never_held_is_one(size):
    for key in (0, 1, 2**64 - 1):
        places = permuted(np.arange(size), np.full(size, size), np.full(size, key, np.uint64))
        assert sorted(places.tolist()) == list(range(size))


def test_small_permutations_are_all_equally_likely():
    keys = np.repeat(np.arange(6000, dtype=np.uint64), 3)
    found = permuted(np.tile(np.arange(3), 6000), np.full(18_000, 3), keys).reshape(6000, 3)
    counts = Counter(map(tuple, found.tolist()))
    assert len(counts) == 6 and max(abs(n - 1000) for n in counts.values()) < 120


def test_shuffled_draws_in_the_proportion_of_the_rows():
    rows, _ = Shuffled(IDS)(0, "clean", 0, len(IDS))
    assert Counter(CLASS[row] for row in rows.tolist()) == ROWS
