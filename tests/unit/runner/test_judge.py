"""Which rows robustness is judged on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dsray.attacks import Judgement, PgdConfig, check_judged
from dsray.attacks.threats.given import threat_to
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.engine import JudgeConfig
from dsray.experiment import Experiment
from dsray.runner.judge import judge_shard, judged_rows, movable_rows, shards
from dsray.targets.names import UNKNOWN, UNLABELLED

PHOTOS = threat_to(Batch({"image": torch.zeros(1, 1, 8, 8)}, *[torch.zeros(1)] * 3), None)


def changed(digits, **columns):
    return replace(digits, columns={**digits.columns, **columns})


def test_rows_without_a_label_make_room_for_others_and_no_other_rows_do(digits):
    everyone = judged_rows(digits, "test", 50, PHOTOS)
    there, target = digits.columns["present.image"].copy(), digits.columns["target"].copy()
    there[everyone[::2]] = False
    target[everyone[1::4]] = UNKNOWN
    data = changed(digits, **{"present.image": there}, target=target)
    assert judged_rows(data, "test", 50, PHOTOS).tolist() == everyone.tolist()
    moved = movable_rows(data, "test", 50, PHOTOS)
    assert len(moved) == 50 and there[moved].all() and (target[moved] >= 0).all()
    assert set(everyone[3::4]) <= set(moved.tolist())
    target[everyone[1::4]] = UNLABELLED
    rows = judged_rows(data, "test", 50, PHOTOS)
    assert len(rows) == 50 and (target[rows] != UNLABELLED).all() and not there[everyone[::2]].any()
    assert set(everyone[::2]) <= set(rows.tolist())


def test_rows_of_which_none_can_be_attacked_are_refused(digits):
    there = np.zeros_like(digits.columns["present.image"])
    there[digits.splits["test"][5]] = True
    with pytest.raises(
        RequestError, match=r"adversarial.judge: none of the 3 rows to judge of the test split has an image"
    ):
        judged_rows(changed(digits, **{"present.image": there}), "test", 3, PHOTOS)
    everyone = len(digits.splits["test"])
    assert len(judged_rows(changed(digits, **{"present.image": there}), "test", everyone, PHOTOS)) == everyone


def test_shards_with_and_without_images_are_judged_as_one(digits):
    """A row without an image stands as it is, one of an unknown class is wrong, the others are as they were."""
    torch.manual_seed(0)
    model = Experiment.parse({"data": {"source": "digits"}, "model": {}}).model.build(digits.schema).eval()
    with torch.no_grad():
        model.head.linear.bias[np.bincount(digits.columns["target"]).argmax()] = 0.5
    rows = judged_rows(digits, "test", 150, PHOTOS)
    first, second = shards(rows)
    there, target = digits.columns["present.image"].copy(), digits.columns["target"].copy()
    there[first] = False
    target[second[:25]] = UNKNOWN
    data = changed(digits, **{"present.image": there}, target=target)
    judge = JudgeConfig(attacks=(PgdConfig(steps=3),), rows=150)
    none, some = (judge_shard(model, data, part, judge, 0.3, 0) for part in (first, second))
    assert none.unmoved.all() and none.robust.tolist() == none.clean_correct.tolist()
    assert some.unknown.sum() == 25 and not some.robust[:25].any()
    whole = check_judged(Judgement.merge([none, some]))
    assert whole.robust.sum() == none.robust.sum() + some.robust[25:].sum() and none.robust.sum() > 0


def test_a_split_without_images_is_refused(digits):
    none = np.zeros_like(digits.columns["present.image"])
    with pytest.raises(RequestError, match="adversarial: no row of the test split has an image and a known class"):
        judged_rows(changed(digits, **{"present.image": none}), "test", 50, PHOTOS)
