"""Batches keep their rows aligned whatever is done to them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dsray.batch import Batch, concatenate


def batch(first: int, rows: int, **present: torch.Tensor) -> Batch:
    ids = torch.arange(first, first + rows)
    image = ids.view(-1, 1, 1, 1).expand(rows, 1, 2, 2) / 100
    return Batch({"image": image, "text": ids.view(-1, 1).repeat(1, 3)}, ids % 10, ids, ids * 0, present)


def test_select_takes_the_same_rows_of_everything():
    some = batch(5, 6, image=torch.arange(6) > 2).select(torch.tensor([4, 0]))
    assert some.rows.tolist() == [9, 5]
    assert some.target.tolist() == [9, 5]
    assert some.inputs["text"][:, 0].tolist() == [9, 5]
    assert some.inputs["image"][:, 0, 0, 0].tolist() == pytest.approx([0.09, 0.05])
    assert some.present["image"].tolist() == [True, False]
    assert batch(5, 6).select(torch.arange(6) % 2 == 0).rows.tolist() == [5, 7, 9]
    assert len(batch(5, 6).select(torch.zeros(6, dtype=torch.bool))) == 0


def test_changes_leave_the_original_alone():
    before = batch(0, 3)
    assert before.with_input("image", torch.ones(3, 1, 2, 2)).inputs["image"].min() == 1
    assert before.inputs["image"].max() < 1
    hidden = before.without("text")
    assert not hidden.present["text"].any()
    assert before.present == {}
    assert hidden.without("image").present.keys() == {"text", "image"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.target = before.rows


def test_concatenate_is_the_inverse_of_select():
    whole = batch(0, 7, text=torch.arange(7) != 2)
    parts = [whole.select(torch.arange(0, 3)), whole.select(torch.arange(3, 3)), whole.select(torch.arange(3, 7))]
    again = concatenate(parts)
    assert again.rows.tolist() == list(range(7))
    assert torch.equal(again.inputs["image"], whole.inputs["image"])
    assert torch.equal(again.present["text"], whole.present["text"])


def test_a_hidden_modality_stays_hidden_beside_rows_that_have_it():
    for pair in ([batch(0, 2), batch(2, 3).without("text")], [batch(0, 2).without("text"), batch(2, 3)]):
        both = concatenate(pair)
        assert both.present["text"].tolist() == [
            bool(b.present.get("text", torch.ones(1)).any()) for b in pair for _ in range(len(b))
        ]


def test_to_moves_every_tensor():
    moved = batch(0, 3, image=torch.ones(3, dtype=torch.bool)).to("meta")
    tensors = [*moved.inputs.values(), *moved.present.values(), moved.target, moved.rows, moved.epochs]
    assert {t.device.type for t in tensors} == {"meta"}
    assert moved.device.type == "meta"
