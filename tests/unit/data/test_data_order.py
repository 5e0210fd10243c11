"""The order of rows."""

import numpy as np
import pytest

from dsray.data import draw, draw_range, steps_of

POOL = np.array([3, 5, 8, 13, 21, 34, 55], dtype=np.int64)


def test_every_epoch_is_a_permutation_of_its_own():
    rows, epochs = draw_range(0, "clean", POOL, 5, 0, 14)  # 70 positions: ten epochs
    orders = [rows[epochs == e] for e in range(10)]
    assert all(sorted(order) == sorted(POOL) for order in orders)
    assert len({tuple(order) for order in orders}) > 5
    assert np.array_equal(epochs, np.repeat(np.arange(10), 7))


def test_batches_are_full_and_may_straddle_epochs():
    rows, epochs = draw(0, "clean", POOL, 5, 1)
    assert rows.dtype == epochs.dtype == np.int64
    assert (len(rows), epochs.tolist()) == (5, [0, 0, 1, 1, 1])


@pytest.mark.parametrize("batch", [1, 5, 7, 64])
def test_a_range_equals_its_single_draws(batch):
    pieces = [draw(1, "a", POOL, batch, step) for step in range(3, 9)]
    rows, epochs = draw_range(1, "a", POOL, batch, 3, 9)
    assert np.array_equal(rows, np.concatenate([r for r, _ in pieces]))
    assert np.array_equal(epochs, np.concatenate([e for _, e in pieces]))


@pytest.mark.parametrize("size", [2, 3])
def test_workers_together_draw_the_global_batch(size):
    for step in range(4):
        rows, _ = draw(1, "a", POOL, 6, step)
        together = np.stack([rows[rank::size] for rank in range(size)], axis=1).reshape(-1)
        assert np.array_equal(together, rows)


def test_seed_stage_and_epoch_each_change_the_order():
    pool = np.arange(100)
    first = draw(0, "a", pool, 100, 0)[0]
    others = [draw(1, "a", pool, 100, 0)[0], draw(0, "b", pool, 100, 0)[0], draw(0, "a", pool, 100, 1)[0]]
    assert all(not np.array_equal(first, other) for other in others)
    assert np.array_equal(first, draw(0, "a", pool, 100, 0)[0])


def test_the_order_is_the_documented_formula():
    from dsray.base.noise import key_of

    expected = np.random.default_rng([4, key_of("s"), 2]).permutation(POOL)
    assert np.array_equal(draw(4, "s", POOL, len(POOL), 2)[0], expected)


def test_a_drawn_batch_may_be_written_to():
    rows, epochs = draw(0, "a", POOL, 3, 0)
    before = rows.copy()
    rows[:], epochs[:] = -1, -1
    assert np.array_equal(draw(0, "a", POOL, 3, 0)[0], before)


def test_an_empty_range_and_an_empty_pool():
    assert [len(part) for part in draw_range(0, "a", POOL, 4, 2, 2)] == [0, 0]
    with pytest.raises(ValueError, match="stage 'a' has no rows"):
        draw(0, "a", POOL[:0], 4, 0)


def test_steps_of_epochs():
    assert steps_of(1, 64, 64) == 1
    assert steps_of(1, 65, 64) == 2
    assert steps_of(0.5, 128, 64) == 1
    assert steps_of(0.001, 128, 64) == 1
    assert steps_of(3, 100, 10) == 30
    assert steps_of(0.1 + 0.2, 10, 1) == 3  # 0.30000000000000004 is three tenths
