"""Tables written as files and read again."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data.output import write_rows

TABLE = pa.table(
    {
        "prediction": ["two\nlines", 'a "quoted", one', "", None, "Straße 😀", "\r\n"],
        "confidence": [0.1, 1 / 3, 1.0, None, 5e-324, 0.0],
        "blocks_run": pa.array([1, 2, 3, None, 0, 2**60]),
    }
)


def read(path: Path) -> pa.Table:
    if path.suffix == ".csv":
        options = pyarrow.csv.ConvertOptions(
            column_types=TABLE.schema, strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        return pyarrow.csv.read_csv(
            path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True), convert_options=options
        )
    if path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").split("\n")
        assert lines.pop() == ""
        return pa.Table.from_pylist([json.loads(line) for line in lines], schema=TABLE.schema)
    return pq.read_table(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_nulls_line_breaks_and_quotes_survive(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_text("what stood here before")
    write_rows(TABLE, path)
    assert read(path).equals(TABLE)
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_file_stays_where_the_new_one_cannot_be_written_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("before")
    with pytest.raises(TypeError):
        write_rows(pa.table({"a": [b"bytes are no JSON"]}), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_wrong_request():
    for name in ("x.csv", "x.parquet", "x.jsonl"):
        with pytest.raises(RequestError, match=r"^out: cannot write /proc/x.* \(.+\); give another path"):
            write_rows(TABLE, Path("/proc") / name)


def test_a_list_whose_values_hold_the_separator_is_no_csv(tmp_path):
    table = pa.table({"prediction": [["a", "b;c"], []]})
    with pytest.raises(
        RequestError, match=r"^out: column 'prediction' holds 'b;c', and ';' stands between .* \.parquet or \.jsonl"
    ):
        write_rows(table, tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
    write_rows(table, tmp_path / "x.jsonl")
    assert json.loads((tmp_path / "x.jsonl").read_text().split("\n")[0]) == {"prediction": ["a", "b;c"]}
