"""Noise belongs to (key, row, epoch): statistics, independence of company, equal bits in NumPy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dsray.base.noise import key_of, normal, uniform, uniform_torch

ROWS = np.array([0, 1, 7, 2**31, 2**62, -1])
EPOCHS = np.array([0, 0, 3, 1, 2**40, 9])


def many(draw, n=4000, shape=(25,), key=11):
    rows = np.arange(n)
    return draw(key, rows, np.zeros(n, np.int64), shape)


def test_uniform_is_uniform():
    draw = many(uniform)
    assert draw.shape == (4000, 25) and draw.dtype == np.float32
    assert draw.min() >= 0 and draw.max() < 1
    assert abs(draw.mean() - 1 / 2) < 0.003 and abs(draw.var() - 1 / 12) < 0.001
    counts = np.histogram(draw, 20, (0, 1))[0]
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-square with 19 degrees of freedom, 0.1 %


def test_normal_is_normal():
    draw = many(normal)
    assert draw.dtype == np.float32 and np.isfinite(draw).all()
    assert abs(draw.mean()) < 0.01 and abs(draw.std() - 1) < 0.01
    assert abs((np.abs(draw) < 1.96).mean() - 0.95) < 0.003
    assert abs((draw**4).mean() - 3) < 0.1


@pytest.mark.parametrize("draw", [uniform, normal])
def test_neighbours_in_row_epoch_element_and_key_are_uncorrelated(draw):
    base = many(draw)
    later = draw(11, np.arange(4000), np.ones(4000, np.int64), (25,))
    pairs = [(base, later), (base[1:], base[:-1]), (base[:, 1:], base[:, :-1]), (base, many(draw, key=12))]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.013  # four standard errors


@pytest.mark.parametrize("draw", [uniform, normal])
def test_a_row_draws_the_same_in_any_order_and_company(draw):
    whole = draw(5, ROWS, EPOCHS, (2, 3))
    order = np.array([4, 0, 5])
    assert np.array_equal(draw(5, ROWS[order], EPOCHS[order], (2, 3)), whole[order])
    assert draw(5, ROWS[:0], EPOCHS[:0], (2, 3)).shape == (0, 2, 3)


@pytest.mark.parametrize("key", [0, 5, 2**63, 2**64 - 1, -1, key_of(3, "shift")])
def test_torch_gives_the_bits_of_numpy(key):
    ours = uniform_torch(key, torch.from_numpy(ROWS), torch.from_numpy(EPOCHS), (2, 3))
    assert np.array_equal(ours.numpy(), uniform(key, ROWS, EPOCHS, (2, 3)))


def test_the_numbers_stay_what_they_are():
    """A change here changes every experiment that was ever recorded."""
    assert key_of(0, "a", 1) == 14005037134226950017
    assert key_of("validation") == 9373788246945591684
    assert uniform(1, np.array([2]), np.array([3]), (2,)).tolist() == [[0.6152974963188171, 0.2736055254936218]]


def test_keys_differ_with_each_part():
    keys = {key_of(seed, word, epoch) for seed in range(20) for word in ("noise", "shift", "") for epoch in range(20)}
    assert len(keys) == 20 * 3 * 20
    assert all(0 <= key < 2**64 for key in keys)
    assert key_of(-1) == key_of(2**64 - 1)


def test_the_parts_of_a_key_are_kept_apart():
    keys = [key_of(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("", "abc"), ("abc", ""), ("a", "b", "c"))]
    keys += [
        key_of(3, "a"),
        key_of(3, 97),
        key_of("a"),
        key_of(97),
        key_of(0),
        key_of(""),
        key_of("", ""),
        key_of(0, 0),
    ]
    assert len(set(keys)) == len(keys)
