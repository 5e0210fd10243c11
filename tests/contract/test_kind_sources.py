"""A source that breaks a promise is found out."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from broken import broken

from dsray.data import SourceConfig
from dsray.testing import check_source

CALLS = count()


class Rows(SourceConfig):
    """Right: a few sentences of two kinds."""

    kind: str = "rows"
    first: int = 0

    def tables(self):
        return {split: self.table(9) for split in ("train", "test")}

    def table(self, rows):
        numbers = range(self.first, self.first + rows)
        return pa.table({"said": [f"number {n}" for n in numbers], "odd": [str(n % 2) for n in numbers]})

    def fingerprint(self):
        return f"rows from {self.first}"

    def columns(self):
        return {"text": {"column": "said"}, "label": "odd"}


def test_a_source_of_another_package_keeps_its_promises():
    check_source(Rows())


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"tables": lambda self: {"train": self.table(9)}}, "needs train and test"),
        ({"tables": lambda self: {"train": self.table(9), "test": self.table(0)}}, "it gave no test rows"),
        (
            {"tables": lambda self: {"train": self.table(9), "test": self.table(9).drop_columns("odd")}},
            "the test rows have other columns",
        ),
        (
            {"tables": lambda self: {"train": self.table(9 + next(CALLS)), "test": self.table(9)}},
            "the train rows differ when they are read again",
        ),
        ({"fingerprint": lambda self: str(next(CALLS))}, "the fingerprint differs when asked for again"),
        ({"fingerprint": lambda self: str(id(self))}, "equal settings have different fingerprints"),
        ({"fingerprint": lambda self: ""}, "the fingerprint is ''"),
        ({"contents": lambda self: {}}, "names no part of the content"),
        ({"contents": lambda self: {"train": str(next(CALLS))}}, r"contents\(\) differs when asked for again"),
        ({"at": lambda self, folder: self.replace(first=1)}, r"at\(\) gives other rows"),
        ({"place": lambda self, split, row: f"a {split} row"}, "two rows are called 'a train row'"),
        ({"place": lambda self, split, row: f"row {row}"}, "two rows are called 'row 0'"),
        ({"named_files": lambda self, column: [Path(str(next(CALLS)))]}, "the files that 'said' names differ"),
        ({"named_files": lambda self, column: ["a.png"]}, "are no paths"),
        ({"columns": lambda self: {"lable": "odd"}}, "says lable, which the data section does not have"),
        ({"columns": lambda self: {"text": {"column": "say"}, "label": "odd"}}, "do not fit .*no column 'say'"),
    ],
)
def test_a_broken_source_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_source(broken(Rows, **replaced))


def test_the_rest_of_the_data_section_may_be_given():
    config = broken(Rows, columns=lambda self: {})
    check_source(config)
    check_source(config, {"text": {"column": "said"}, "label": "odd"})
    with pytest.raises(AssertionError, match="no column 'even'"):
        check_source(config, {"text": {"column": "said"}, "label": "even"})
