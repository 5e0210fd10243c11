"""Rows held out for validation: by class, whole groups at a time, and no class without a training row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig
from dsray.data.holdout import hold_out, shares


def parts(label, share=0.1, group=None, seed=0):
    """(training labels, held-out labels, training groups, held-out groups)."""
    columns = {"text": ["a"] * len(label), "label": label, "group": group if group is not None else label}
    named = {"group": "group"} if group is not None else {}
    source = {"kind": "parquet", "train": "a", "test": "b"}
    config = DataConfig.model_validate(
        {"source": source, "text": {"column": "text"}, "label": "label", "validation": share, **named}
    )
    train, held = hold_out(pa.table(columns), config, seed)
    assert len(train) + len(held) == len(label)
    return *(t["label"].to_numpy() for t in (train, held)), *(t["group"].to_numpy() for t in (train, held))


@pytest.mark.parametrize("seed", range(3))
def test_of_many_classes_of_two_rows_none_vanishes_and_the_share_is_kept(seed):
    train, held, _, _ = parts(np.arange(600) // 2, seed=seed)
    assert len(np.unique(train)) == 300
    assert len(held) == len(np.unique(held)) == 60


@pytest.mark.parametrize(
    ("sizes", "share", "wanted"),
    [
        ([500, 300, 200], 0.1, [50, 30, 20]),
        ([99, 1], 0.1, [10, 0]),
        ([990, 10], 0.1, [99, 1]),
        ([7, 7, 7], 1 / 7, [1, 1, 1]),
        ([2, 2], 0.9, [1, 1]),
        ([1, 2, 3], 0.01, [0, 0, 1]),
        ([1, 1, 98], 0.99, [0, 0, 97]),
    ],
)
def test_each_class_gives_its_share_and_keeps_a_row(sizes, share, wanted):
    assert shares(np.array(sizes), share, np.random.default_rng(0)).tolist() == wanted
    label = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    _, held, _, _ = parts(label, share)
    assert np.bincount(held, minlength=len(sizes)).tolist() == wanted


def test_the_rows_keep_their_order_and_depend_on_the_seed():
    label = np.arange(200) % 2
    rows = np.arange(200)
    first, again, other = (parts(label, group=rows, seed=seed) for seed in (0, 0, 1))
    assert first[3].tolist() == again[3].tolist() == sorted(first[3])
    assert first[3].tolist() != other[3].tolist()
    assert len(first[3]) == len(other[3]) == 20


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_whole_and_both_the_share_and_the_classes_are_near(seed):
    random = np.random.default_rng([seed, 1])
    sizes = random.integers(1, 12, 200)
    group = np.repeat(np.arange(200), sizes)
    label = random.choice(4, p=[0.5, 0.3, 0.15, 0.05], size=200)[group]  # a group is of one class: a patient, a lesion
    train, held, in_training, in_validation = parts(label, 0.2, group, seed)
    assert not set(in_training) & set(in_validation)
    assert abs(len(held) - 0.2 * len(label)) <= 4
    for c in range(4):
        assert abs((held == c).sum() - 0.2 * (label == c).sum()) <= 11  # the rows of the largest group
        assert (train == c).any()


@pytest.mark.parametrize("seed", range(5))
def test_a_class_in_one_group_stays_in_training_with_all_of_it(seed):
    group = np.arange(120) // 6
    label = np.where(np.arange(120) % 6 < 4, "a", "b").astype(object)
    label[5] = "only here"
    train, held, in_training, _ = parts(label, 0.1, group, seed)
    assert "only here" in train
    assert 0 in in_training
    assert len(held) == 12
    assert set(held) == {"a", "b"}


def test_where_groups_are_larger_than_the_share_the_smallest_is_held_out():
    group = np.repeat([0, 1, 2], [50, 30, 40])
    _, held, _, in_validation = parts(np.arange(120) % 2, 0.05, group)
    assert set(in_validation) == {1}
    assert len(held) == 30


def test_classes_of_large_groups_are_held_out_beside_those_of_small_ones():
    label = np.repeat([0, 1], [1000, 1000])
    group = np.concatenate([np.arange(1000) // 200, 10 + np.arange(1000)])
    _, held, _, _ = parts(label, 0.1, group)
    assert np.bincount(held).tolist() == [200, 100]


@pytest.mark.parametrize(
    ("label", "group", "words"),
    [
        (range(40), None, "data.label: each of the 40 training rows has a class of its own in column 'label'"),
        (["a"] * 20 + ["b"] * 20, [1] * 20 + [2] * 20, "data.group: each of the 2 values of column 'group' holds all"),
    ],
)
def test_what_cannot_be_divided_without_losing_a_class_is_refused(label, group, words):
    with pytest.raises(RequestError, match=words):
        parts(np.array(label, dtype=object), 0.1, None if group is None else np.array(group))
