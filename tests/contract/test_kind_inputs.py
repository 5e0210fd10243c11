"""An input that breaks a promise, in its config or in what it learns, is found out."""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from broken import broken

from dsray.base import RequestError
from dsray.inputs import Encoded, InputConfig, InputSpec, Shown, TensorSpec, TextSpec
from dsray.testing import check_input, check_spec

CALLS = count()
ROWS = pa.table({"levels": [[0.0, 0.5], None, [1.0, 0.25], [0.125, 0.75]]})


class LevelsSpec(InputSpec):
    """Right: some numbers in [0, 1], and which of them is the largest."""

    kind: str = "levels"
    column: str = "levels"
    length: int = 2

    @property
    def columns(self):
        return (self.column,)

    @property
    def tensors(self):
        level = TensorSpec((self.length,), range=(0.0, 1.0))
        return {"level": level, "largest": TensorSpec((), "int64", ids=self.length)}

    def encode(self, table, field):
        given = table.column(self.column).to_pylist()
        present = np.array([values is not None for values in given])
        level = np.array([values or [0.0] * self.length for values in given], np.float32)
        return Encoded(self.values(level), present, {"low": (level.sum(1) < 0.6) & present})

    def values(self, level):
        return {"level": level, "largest": level.argmax(1)}

    def read(self, values, fields):
        for value, field in zip(values, fields, strict=True):
            if not isinstance(value, list):
                raise RequestError(f"{field}: needs a list")
        return self.values(np.array(values, np.float32).reshape(-1, self.length))

    def request_schema(self):
        return {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "null"}]}

    def example(self):
        return [0.5] * self.length

    def request_of(self, values, raw):
        return raw["levels"]

    def show(self, values, raw):
        return Shown("text/plain", str(values["level"]))


class LevelsInput(InputConfig):
    """Right: learns how many numbers there are."""

    range: ClassVar = (0.0, 1.0)

    kind: str = "levels"
    column: str = "levels"

    @classmethod
    def gives(cls):
        return LevelsSpec

    @property
    def columns(self):
        return (self.column,)

    def fault(self, column, kind):
        return None if pa.types.is_list(kind) else "lists"

    def fit(self, train):
        return LevelsSpec(length=len(train.column(self.column).drop_null()[0]))

    def learnt(self, spec):
        return isinstance(spec, LevelsSpec)


def test_an_input_of_another_package_keeps_its_promises():
    check_input(LevelsInput(), ROWS)
    check_spec(LevelsSpec(), ROWS)


class HighSpec(LevelsSpec):
    """Right: numbers in [2, 3], so that the zeros of a missing row lie outside the range."""

    @property
    def tensors(self):
        return {"level": TensorSpec((self.length,), range=(2.0, 3.0)), "largest": TensorSpec((), "int64", ids=2)}

    def example(self):
        return [2.0] * self.length


def test_a_missing_row_need_not_lie_in_the_range():
    rows = pa.table({"levels": [[2.0, 2.5], None, [3.0, 2.25]]})
    check_spec(HighSpec(), rows)
    with pytest.raises(AssertionError, match="values outside 2 to 3"):
        check_spec(HighSpec(), pa.table({"levels": [[2.0, 2.5], None, [3.0, 1.25]]}))


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"columns": property(lambda self: ())}, "reads no column"),
        ({"fault": lambda self, column, kind: "bytes"}, r"calls the column 'levels' unreadable \(bytes\)"),
        ({"fault": lambda self, column, kind: None}, "says nothing against a column 'levels' of maps"),
        ({"gives": classmethod(lambda cls: TextSpec)}, "it learns a LevelsSpec, and says TextSpec"),
        ({"fit": lambda self, train: LevelsSpec(length=2 + next(CALLS))}, "learns something else from the same rows"),
        ({"fit": lambda self, train: LevelsSpec(column="others")}, "what it learnt reads other columns"),
        ({"learnt": lambda self, spec: False}, "does not know again what it learnt"),
        ({"learnt": lambda self, spec: True}, "takes a spec of another kind for its own"),
        ({"range": None}, r"its range is None, and that of what it learnt \(0.0, 1.0\)"),
        ({"range": (0.0, 0.5)}, r"its range is \(0.0, 0.5\), and that of what it learnt \(0.0, 1.0\)"),
    ],
)
def test_a_broken_input_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_input(broken(LevelsInput, **replaced), ROWS)


def tensors(**changed):
    return property(lambda self: {**LevelsSpec().tensors, **changed})


def encoding(change: Any) -> Any:
    """`encode` with its result put through `change`."""
    return lambda self, table, field: change(LevelsSpec().encode(table, field), table)


def levels(change: Any) -> Any:
    return encoding(lambda e, t: e._replace(values={**e.values, "level": change(e.values["level"], e, t)}))


def reading(change: Any) -> Any:
    return lambda self, values, fields: change(LevelsSpec().read(values, fields), values)


def numbers(self, values, fields):
    return self.values(np.array([list(value) for value in values], np.float32).reshape(-1, 2))


def anything(self, values, fields):
    return LevelsSpec().read([value if isinstance(value, list) else [0, 0] for value in values], fields)


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"tensors": property(lambda self: {})}, "has no tensors"),
        ({"tensors": tensors(**{"": TensorSpec((1,))})}, "one of several tensors has no name"),
        ({"tensors": tensors(level=TensorSpec((2,), "int64", range=(0, 1)))}, "have a range and cannot be moved"),
        (
            {"tensors": tensors(level=TensorSpec((2,), range=(1.0, 0.0)))},
            r"the range is \(1.0, 0.0\) \(tensor 'level'\)",
        ),
        ({"tensors": tensors(level=TensorSpec((), range=(0.0, 1.0)))}, r"has the shape \(1,\) \(tensor 'level'\)"),
        ({"tensors": tensors(largest=TensorSpec((), "float32", ids=2))}, "ids are float32"),
        ({"tensors": tensors(other=TensorSpec(()))}, r"gave \['level', 'largest'\], needs"),
        (
            {"tensors": tensors(level=TensorSpec((3,), range=(0.0, 1.0)))},
            r"gave float32 \(5, 2\), needs float32 \(5, 3\)",
        ),
        ({"tensors": tensors(level=TensorSpec((2,), "float64"))}, r"needs float64 \(5, 2\)"),
        ({"tensors": tensors(level=TensorSpec((2,), range=(0.0, 0.5)))}, "values outside 0 to 0.5"),
        ({"tensors": tensors(largest=TensorSpec((), "int64", ids=1))}, "values outside 0 to 0"),
        ({"encode": encoding(lambda e, t: e._replace(present=e.present.astype(int)))}, "'present' is int64"),
        ({"encode": encoding(lambda e, t: e._replace(marks={"low": e.present[:1]}))}, r"'low' is bool \(1,\)"),
        ({"encode": encoding(lambda e, t: e._replace(present=e.present | True))}, "every column is null is present"),
        ({"encode": encoding(lambda e, t: e._replace(present=e.present & False))}, "fewer than two of the given rows"),
        ({"encode": levels(lambda v, e, t: np.where(e.present[:, None], v, v + 1))}, "lack the input are not zeros"),
        ({"encode": levels(lambda v, e, t: np.where(v > 0, np.float32("inf"), v))}, "not finite"),
        ({"encode": levels(lambda v, e, t: v / np.float32(2 + next(CALLS)))}, "differ when they are encoded again"),
        ({"encode": levels(lambda v, e, t: v / np.float32(len(t)))}, "a row's values depend on its company"),
        (
            {"unpack": lambda self, part, stored: stored // 2 if part == "largest" else stored / 2},
            "unpack changes what",
        ),
        ({"request_of": lambda self, values, raw: values["level"]}, "is not JSON"),
        ({"request_of": lambda self, values, raw: [0.5, 0.5]}, "is read as another row"),
        ({"request_of": lambda self, values, raw: "levels"}, "does not allow the value of a request that means a row"),
        ({"request_schema": lambda self: {"type": "array"}}, "does not allow null"),
        ({"request_schema": lambda self: {"type": "list"}}, "the JSON Schema of a request does not allow"),
        ({"example": lambda self: (1, 2, 3, 4)}, r"gave float32 \(2, 2\), needs float32 \(1, 2\)"),
        ({"example": lambda self: {1}}, "the example is not JSON"),
        ({"read": numbers}, "a value that cannot be read is a ValueError, needs a RequestError"),
        ({"read": anything}, "it reads what is no value of it"),
        ({"read": lambda self, values, fields: LevelsSpec().read(values, ["?"] * len(values))}, "does not name it"),
        ({"read": reading(lambda found, values: {"level": found["level"]})}, r"gave \['level'\], needs"),
        ({"show": lambda self, values, raw: Shown("text/html", "")}, "a page cannot show text/html"),
        ({"show": lambda self, values, raw: None}, "shows nothing of a row"),
        ({"about": lambda self: {"kind": "levels", "column": "levels"}}, "told of the source's columns"),
        ({"about": lambda self: {}}, "lacks the kind"),
        ({"csv_types": lambda self: {"other": pa.string()}}, "reads other columns from a CSV file"),
    ],
)
def test_a_broken_spec_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_spec(broken(LevelsSpec, **replaced), ROWS)
