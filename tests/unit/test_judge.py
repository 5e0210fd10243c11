"""Which rows robustness is judged on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dsray.base import RequestError
from dsray.judge import judged_rows


def changed(digits, **columns):
    return replace(digits, columns={**digits.columns, **columns})


def test_rows_that_cannot_be_judged_make_room_for_others(digits):
    test, everyone = digits.splits["test"], judged_rows(digits, "test", 50)
    there, target = digits.columns["present.image"].copy(), digits.columns["target"].copy()
    there[everyone[::2]] = False
    target[everyone[1::4]] = -1
    rows = judged_rows(changed(digits, **{"present.image": there}, target=target), "test", 50)
    assert len(rows) == 50 and set(rows.tolist()) <= set(test.tolist())
    assert there[rows].all() and (target[rows] >= 0).all()
    assert set(everyone[3::4]) <= set(rows.tolist())


def test_a_split_without_images_is_refused(digits):
    none = np.zeros_like(digits.columns["present.image"])
    with pytest.raises(RequestError, match="adversarial: no row of the test split has an image and a known class"):
        judged_rows(changed(digits, **{"present.image": none}), "test", 50)
