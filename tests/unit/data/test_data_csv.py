"""CSV files for `predict` that are less plain than most."""

from __future__ import annotations

import csv
import io

from dsray.data import read_rows
from dsray.data.schema import Schema
from dsray.inputs import TextSpec

SCHEMA = Schema(
    text=TextSpec(column="text", length=4, vocabulary=8, tokenizer="{}"), label="label", classes=("pos", "neg")
)


def test_line_breaks_and_commas_inside_quotes_in_a_large_file(tmp_path):
    rows = [[f'row {i}\n\nsaid "{"a, b " * (i % 40)}"\r\n', "pos" if i % 2 else "neg"] for i in range(20_000)]
    rows[7][0] = "long, \n" * 300_000  # 2.1 MB
    text = io.StringIO()
    csv.writer(text).writerows([["text", "label"], *rows])
    assert len(text.getvalue()) > 4_000_000
    (tmp_path / "rows.csv").write_bytes(text.getvalue().encode())
    table = read_rows(tmp_path / "rows.csv", SCHEMA)
    assert [list(row.values()) for row in table.to_pylist()] == rows
