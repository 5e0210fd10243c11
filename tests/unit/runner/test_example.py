"""The example of a request is a row that the model can answer."""

from __future__ import annotations

from dataclasses import replace

from dsray.data import Prepared
from dsray.runner.evaluate import example


def without(data: Prepared, name: str, rows: int) -> Prepared:
    present = data.columns[f"present.{name}"].copy()
    present[data.splits["test"][:rows]] = False
    return replace(data, columns={**data.columns, f"present.{name}": present})


def test_a_row_that_lacks_nothing_comes_first(digits):
    assert example(without(digits, "text", 0))["text"] == digits.shown["question"][digits.splits["test"][0]].as_py()
    found = example(without(without(digits, "text", 3), "image", 5))
    assert found["image"] is not None
    assert found["text"] == digits.shown["question"][digits.splits["test"][5]].as_py()


def test_an_image_that_is_missing_is_hidden_and_not_black(digits):
    found = example(without(digits, "image", len(digits)))
    assert found["image"] is None and found["text"] is not None
