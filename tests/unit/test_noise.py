"""Noise belongs to a row: the same in any company and order, and the same bits in NumPy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dsray.noise import key_of, normal, uniform, uniform_torch

ROWS, EPOCHS = np.arange(2000), np.arange(2000) % 3


def test_a_row_gets_the_same_noise_in_any_company():
    whole = uniform(7, ROWS, EPOCHS, (4, 4))
    some = np.array([1999, 3, 3, 500])
    assert np.array_equal(uniform(7, ROWS[some], EPOCHS[some], (4, 4)), whole[some])
    assert np.array_equal(normal(7, ROWS[some], EPOCHS[some], (3,)), normal(7, ROWS, EPOCHS, (3,))[some])


@pytest.mark.parametrize("key", [0, 1, key_of(0, "pgd"), 2**64 - 1])
def test_numpy_and_torch_agree_to_the_bit(key):
    rows = np.array([0, 1, 77, 2**40, 2**62, -5])
    epochs = np.array([0, 3, 2**20, 0, 1, 2])
    ours = uniform(key, rows, epochs, (2, 5, 3))
    theirs = uniform_torch(key, torch.from_numpy(rows), torch.from_numpy(epochs), (2, 5, 3))
    assert theirs.dtype == torch.float32
    assert np.array_equal(ours, theirs.numpy())


def test_noise_depends_on_key_row_epoch_and_element():
    first = uniform(7, ROWS, EPOCHS, (4,))
    assert (first != uniform(8, ROWS, EPOCHS, (4,))).mean() > 0.999
    assert (first != uniform(7, ROWS + 1, EPOCHS, (4,))).mean() > 0.999
    assert (first != uniform(7, ROWS, EPOCHS + 1, (4,))).mean() > 0.999
    assert len(np.unique(uniform(7, np.arange(100), np.zeros(100, int), (10,)))) > 990


def test_uniform_is_uniform():
    drawn = uniform(11, ROWS, EPOCHS, (100,)).ravel()
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() < drawn.max() < 1
    shares = np.histogram(drawn, bins=20, range=(0, 1))[0] / len(drawn)
    assert np.abs(shares - 0.05).max() < 0.002
    neighbours = uniform(11, np.arange(20_000), np.zeros(20_000, int), ())
    assert abs(np.corrcoef(neighbours[:-1], neighbours[1:])[0, 1]) < 0.03


def test_normal_is_standard_normal():
    drawn = normal(11, ROWS, EPOCHS, (100,)).ravel()
    assert drawn.dtype == np.float32
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((np.abs(drawn) < 1.959964).mean() - 0.95) < 0.002
    assert np.isfinite(drawn).all()


def test_no_rows_and_no_shape_are_allowed():
    none = np.zeros(0, int)
    assert uniform(1, none, none, (3, 2)).shape == (0, 3, 2)
    assert uniform_torch(1, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), (3, 2)).shape == (
        0,
        3,
        2,
    )
    assert normal(1, np.arange(5), np.zeros(5, int), ()).shape == (5,)


def test_keys_differ_by_seed_word_and_order():
    keys = [
        key_of(seed, word, epoch) for seed in range(20) for word in ("pgd", "noise", "shift") for epoch in range(20)
    ]
    assert len(set(keys)) == len(keys)
    assert key_of(1, 2) != key_of(2, 1)
    assert all(0 <= key < 2**64 for key in [*keys, key_of(-1), key_of(2**80)])
