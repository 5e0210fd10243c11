"""Batches: rows stay aligned, and nobody's presence is forgotten."""

from __future__ import annotations

import torch

from dsray.base.batch import Batch, concatenate


def batch(rows=4, **present):
    ids = torch.arange(rows)
    inputs = {"image": ids[:, None, None, None] / 10 + torch.zeros(1, 1, 2, 2), "text": ids[:, None].repeat(1, 3)}
    return Batch(inputs, ids % 2, ids + 100, ids * 2, {k: torch.tensor(v) for k, v in present.items()})


def test_select_keeps_the_rows_aligned():
    one = batch(image=[True, False, True, True])
    for picked in (
        one.select(torch.tensor([3, 1])),
        one.select(torch.tensor([False, True, False, True])).select(torch.tensor([1, 0])),
    ):
        assert len(picked) == 2
        assert (
            picked.rows.tolist() == [103, 101] and picked.epochs.tolist() == [6, 2] and picked.target.tolist() == [1, 1]
        )
        assert picked.inputs["text"][:, 0].tolist() == [3, 1]
        assert picked.present["image"].tolist() == [True, False]


def test_changes_are_copies():
    one = batch()
    moved, hidden = one.with_input("image", one.inputs["image"] + 1), one.without("image")
    assert float(one.inputs["image"].max()) < 1 < float(moved.inputs["image"].max())
    assert one.present == {} and hidden.present["image"].tolist() == [False] * 4
    assert hidden.inputs["image"] is one.inputs["image"]


def test_concatenate_undoes_a_split():
    one = batch(image=[True, False, True, True])
    again = concatenate([one.select(torch.arange(1)), one.select(torch.arange(1, 4))])
    for name in ("target", "rows", "epochs"):
        assert torch.equal(getattr(again, name), getattr(one, name))
    assert all(torch.equal(again.inputs[k], v) for k, v in one.inputs.items())
    assert torch.equal(again.present["image"], one.present["image"])


def test_concatenate_keeps_flags_that_only_some_batches_have():
    for parts, expected in (
        ([batch(2), batch(2).without("image")], [True, True, False, False]),
        ([batch(2).without("image"), batch(2)], [False, False, True, True]),
    ):
        assert concatenate(parts).present["image"].tolist() == expected


def test_moving_keeps_everything():
    there = batch(image=[True, False, True, True]).to("cpu")
    assert there.device == torch.device("cpu") and there.present["image"].tolist() == [True, False, True, True]
