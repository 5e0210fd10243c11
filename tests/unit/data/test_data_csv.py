"""CSV files for `predict` that are less plain than most."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from dsray.base import RequestError
from dsray.data import prepare_table, read_rows
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec, TextSpec

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


def test_two_inputs_that_read_one_column(tmp_path):
    """A picture at two sizes is one file of a folder, and one path in a CSV file."""
    small, large = (ImageSpec(column="picture", channels=1, height=n, width=n) for n in (2, 4))
    schema = Schema(inputs={"small": small, "large": large}, label="label", classes=("a", "b"))
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "pictures" / "x.png")
    (tmp_path / "rows.csv").write_text("picture,label\npictures/x.png,a\n")
    for path in (tmp_path / "rows.csv", tmp_path / "pictures"):
        found = prepare_table(read_rows(path, schema), schema)
        assert [found.column(name)[0].as_py() for name in schema.names] == [[7] * 4, [7] * 16]
    other = Schema(inputs={"small": small, "back": large.replace(column="back")}, label="label", classes=("a", "b"))
    with pytest.raises(RequestError, match="this model reads 'back' too"):
        read_rows(tmp_path / "pictures", other)
