"""An operation that breaks a promise is found out."""

from __future__ import annotations

from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from broken import broken

from dsray.augment import OperationConfig
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec, TextSpec
from dsray.testing import check_operation

CALLS = count(1)
PHOTO = ImageSpec(column="photo", channels=3, height=4, width=4)
NOTE = TextSpec(column="note", length=5, vocabulary=9, tokenizer="")


class NegativeConfig(OperationConfig):
    """Right: white is black."""

    reads: ClassVar = ImageSpec

    kind: str = "negative"

    def make(self, tensors):
        (name,) = tensors
        return lambda columns, key: columns | {name: 1 - columns[name]}


class DrawnAgainConfig(OperationConfig):
    """Right: other tokens."""

    kind: str = "drawn_again"

    def make(self, tensors):
        changed = {name: tensor.ids for name, tensor in tensors.items() if tensor.ids}
        return lambda columns, key: columns | {name: (columns[name] + 1) % ids for name, ids in changed.items()}


def test_an_operation_of_another_package_keeps_its_promises():
    check_operation(NegativeConfig())
    check_operation(NegativeConfig(input="image", chance=0.5))


def test_an_operation_on_whole_rows_is_told_every_input():
    inputs = {"photo": PHOTO, "note": NOTE, "reply": NOTE}
    check_operation(DrawnAgainConfig(), Schema(inputs=inputs, label="y", classes=("a", "b")))
    told = []

    class Told(DrawnAgainConfig):
        def make(self, tensors):
            told.append(list(tensors))
            return super().make(tensors)

    check_operation(Told(input="reply"), Schema(inputs=inputs, label="y", classes=("a", "b")))
    check_operation(Told(), Schema(inputs=inputs, label="y", classes=("a", "b")))
    assert told == [["reply"]] * 3 + [["photo", "note", "reply"]] * 3


def writing(columns, key):
    columns["image"][:] = 0
    return columns


def giving(name, value):
    return lambda columns, key: columns | {name: value(columns)}


@pytest.mark.parametrize(
    ("operation", "promise"),
    [
        (giving("image", lambda c: c["image"] * c["image"].mean()), "a row's 'image' depends on its company"),
        (
            giving("image", lambda c: c["image"] * (np.arange(len(c["row"])) % 2)[:, None, None, None]),
            "gave 'image' as",
        ),
        (giving("image", lambda c: c["image"] / next(CALLS)), "'image' differs when the operation is repeated"),
        (giving("image", lambda c: c["image"][:, :, :4]), "gave 'image' as"),
        (giving("image", lambda c: c["image"] * np.float32("nan")), "not finite"),
        (giving("target", lambda c: c["target"] * 0), "changed 'target'"),
        (giving("size", lambda c: c["row"]), "gave columns"),
        (writing, "wrote into its columns"),
    ],
)
def test_a_broken_operation_is_found_out(operation, promise):
    with pytest.raises(AssertionError, match=promise):
        check_operation(broken(NegativeConfig, make=lambda self, tensors: operation))
