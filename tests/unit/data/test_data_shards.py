"""Folders of Parquet files that are not all alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig, Prepared, prepare, read_rows

FIRST = pa.table({"text": [f"one {i}" for i in range(20)], "label": [i % 2 for i in range(20)]})
SECOND = pa.table({"text": [f"two {i}" for i in range(20)], "label": [i % 2 for i in range(20)]})
TEST = pa.table({"text": ["a", "b"], "label": [0, 1]})


def cast(table: pa.Table, column: str, kind: pa.DataType) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, table[column].cast(kind))


def prepared(folder: Path, *files: pa.Table) -> Prepared:
    (folder / "train").mkdir()
    for i, table in enumerate(files):
        pq.write_table(table, folder / "train" / f"{i}.parquet")
    pq.write_table(TEST, folder / "test.parquet")
    source = {"kind": "parquet", "train": str(folder / "train"), "test": str(folder / "test.parquet")}
    return prepare(DataConfig.model_validate({"source": source, "text": {"column": "text"}, "label": "label"}))


@pytest.mark.parametrize(
    "second",
    [
        SECOND.select(["label", "text"]),
        SECOND.append_column("note", pa.nulls(20)),
        cast(SECOND, "label", pa.float64()),
        cast(SECOND, "label", pa.int8()),
        cast(SECOND, "text", pa.large_string()),
        cast(SECOND, "text", pa.dictionary(pa.int32(), pa.string())),
        SECOND.append_column("only here", [range(20)]),
        SECOND.append_column("a", [range(20)]).append_column("a", [range(20)]),
        SECOND.append_column("big", [[2**60 + 1] * 20]),
    ],
    ids=["order", "null", "floats", "narrow", "large", "dictionary", "further", "twice", "too large"],
)
def test_files_that_differ_harmlessly_are_one_split(tmp_path, second):
    first = (
        FIRST.append_column("note", [["a"] * 20])
        .append_column("a", [["words"] * 20])
        .append_column("big", [[0.5] * 20])
    )
    (tmp_path / "alike").mkdir()
    whole, data = prepared(tmp_path / "alike", FIRST, SECOND), prepared(tmp_path, first, second)
    assert data.schema == whole.schema
    assert data.schema.target.classes == ("0", "1")
    assert {n: v.tolist() for n, v in data.columns.items()} == {n: v.tolist() for n, v in whole.columns.items()}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (SECOND.drop_columns("text"), "data.text.column: '{1}' has no column 'text'; needs one in every file"),
        (
            cast(SECOND, "label", pa.string()),
            "data.label: column 'label' holds int64 in '{0}' and string in '{1}'; needs one type in all files",
        ),
        (
            SECOND.append_column("label", SECOND["label"]),
            "data.label: '{1}' has 2 columns 'label'; needs one in every file",
        ),
    ],
)
def test_a_real_difference_names_file_and_column(tmp_path, second, words):
    files = [str(tmp_path / "train" / f"{i}.parquet") for i in range(2)]
    with pytest.raises(RequestError) as caught:
        prepared(tmp_path, FIRST, second)
    assert str(caught.value) == words.format(*files)
    if "label'" in words:
        (tmp_path / "sound").mkdir()
        schema = prepared(tmp_path / "sound", FIRST).schema
        with pytest.raises(RequestError) as caught:
            read_rows(tmp_path / "train", schema)
        assert str(caught.value) == words.format(*files).removeprefix("data.label: ")


def test_files_that_have_nothing_in_common(tmp_path):
    with pytest.raises(
        RequestError, match=r"^data.source.train: the files of folder '.*train' have no column in common$"
    ):
        prepared(tmp_path, FIRST, pa.table({"words": ["a"]}))


@pytest.mark.parametrize("bare", [pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_lists_of_views_and_of_dictionaries_are_lists_of_text(tmp_path, bare):
    tags = [["a", "b"], ["b"], [], ["a"]] * 10
    words = pa.array([w for row in tags for w in row]).cast(bare)
    offsets = pa.array([0, *np.cumsum([len(row) for row in tags])], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, words)
    pq.write_table(pa.table({"text": [f"w{i}" for i in range(40)], "tags": lists}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"text": ["a", "b"], "tags": [["a"], []]}), tmp_path / "test.parquet")
    source = {"kind": "parquet", **{split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}}
    target = {"kind": "labels", "column": "tags"}
    data = prepare(DataConfig.model_validate({"source": source, "text": {"column": "text"}, "target": target}))
    assert data.schema.target.labels == ("a", "b")
    assert data.columns["target"][data.splits["test"]].tolist() == [[1, 0], [0, 0]]
