"""An operation that breaks a promise is found out."""

from __future__ import annotations

import pytest

from dsray.augment import OperationConfig
from dsray.testing import check_operation


def test_a_broken_operation_is_found_out():
    class Broken(OperationConfig):
        kind: str = "broken"

        def build(self):
            return lambda columns, key: columns | {"image": columns["image"] * columns["image"].mean()}

    with pytest.raises(AssertionError, match="company"):
        check_operation(Broken())
