"""An operation that breaks a promise is found out."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from broken import broken

from dsray.augment import OperationConfig
from dsray.testing import check_operation

CALLS = count(1)


class NegativeConfig(OperationConfig):
    """Right: white is black."""

    kind: str = "negative"

    def build(self):
        return lambda columns, key: columns | {"image": 1 - columns["image"]}


def test_an_operation_of_another_package_keeps_its_promises():
    check_operation(NegativeConfig())


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
        check_operation(broken(NegativeConfig, build=lambda self: operation))
