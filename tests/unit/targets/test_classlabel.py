"""Labels written by `datasets`: numbers in the column, their names in the metadata of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig, Prepared, SourceConfig, prepare, prepare_table, read_rows

NAMES = ["pos", "neg", "so-so"]


def table(labels, names=NAMES, kind=None) -> pa.Table:
    """Rows as `datasets` writes them; without metadata where `names` is None."""
    columns = {"text": [f"text {i} of {len(labels)}" for i in range(len(labels))], "label": pa.array(labels, kind)}
    if names is None:
        return pa.table(columns)
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def prepared(folder: Path, **splits: pa.Table) -> Prepared:
    source = {"kind": "parquet"}
    for split, rows in splits.items():
        source[split] = str(folder / f"{split}.parquet")
        pq.write_table(rows, source[split])
    section = {"source": source, "text": {"column": "text", "vocabulary": 300, "length": 8}, "label": "label"}
    return prepare(DataConfig.model_validate(section))


TRAIN, VALIDATION = table([0, 1, 2] * 10), table([0, 1, 2])
SAID = "the classes are the names that go with the numbers of column 'label': 0 is 'pos', 1 is 'neg', 2 is 'so-so'"


def labels_of(data: Prepared, split: str) -> list[str | None]:
    return [
        None if t < 0 else data.schema.target.classes[t] for t in data.columns["target"][data.splits[split]].tolist()
    ]


def refusal(folder: Path, **splits: pa.Table) -> str:
    with pytest.raises(RequestError) as caught:
        prepared(folder, **splits)
    return str(caught.value)


@pytest.mark.parametrize("kind", [pa.int64(), pa.int8(), pa.float64()])
def test_classes_are_called_by_their_names_and_minus_one_is_no_label(tmp_path, kind):
    data = prepared(tmp_path, train=TRAIN, validation=VALIDATION, test=table([2, -1, 0, None, 1], kind=kind))
    assert data.schema.target.classes == ("neg", "pos", "so-so")
    assert data.schema.target.names == ("pos", "neg", "so-so")
    assert labels_of(data, "train")[:3] == NAMES
    assert labels_of(data, "test") == ["so-so", None, "pos", None, "neg"]
    assert data.counts["test"]["label"] == {"missing": 2, "unknown": 0}
    assert data.notes == (SAID,)


def test_held_out_rows_have_names_too(tmp_path):
    data = prepared(tmp_path, train=TRAIN, test=table([0, 1]))
    assert sorted(labels_of(data, "validation")) == ["neg", "pos", "so-so"]


def test_each_split_is_read_by_its_own_names(tmp_path):
    other = table([0, 1, 2], ["so-so", "pos", "neg"])
    data = prepared(tmp_path, train=TRAIN, validation=VALIDATION, test=other)
    assert labels_of(data, "test") == ["so-so", "pos", "neg"]
    assert data.notes == (
        SAID,
        "the test rows have a list of their own: 0 is 'so-so', 1 is 'pos', 2 is 'neg'; they are read by it",
    )


def test_a_split_without_names_is_read_by_the_list_of_the_others(tmp_path):
    data = prepared(tmp_path, train=TRAIN, validation=VALIDATION, test=table([1, 0, -1, 2], None))
    assert labels_of(data, "test") == ["neg", "pos", None, "so-so"]
    lost = "the numbers of column 'label' in the {} rows come without names; read by the same list"
    assert data.notes == (SAID, lost.format("test"))
    data = prepared(tmp_path, train=table([0, 1, 2] * 10, None), validation=VALIDATION, test=table([2, 1, 0]))
    assert labels_of(data, "train")[:3] == NAMES
    assert data.notes[:2] == (SAID, lost.format("train"))


def test_files_of_one_split_must_agree(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    pq.write_table(TRAIN, folder / "a.parquet")
    for names, words in ((None, "no names"), (["neg", "pos"], "0 is 'neg', 1 is 'pos'")):
        pq.write_table(table([0, 1], names), folder / "b.parquet")
        pq.write_table(VALIDATION, tmp_path / "test.parquet")
        source = {"kind": "parquet", "train": str(folder), "test": str(tmp_path / "test.parquet")}
        with pytest.raises(RequestError) as caught:
            prepare(DataConfig.model_validate({"source": source, "text": {"column": "text"}, "label": "label"}))
        assert str(caught.value) == (
            "data.source.train: the files name the numbers of column 'label' differently (0 is 'pos', 1 is 'neg', 2 is "
            f"'so-so' in one, {words} in another); write all with one list of names"
        )
    with_text = {"source": source, "text": {"column": "text"}, "label": "text2"}
    rows = [t.append_column("text2", [["a", "b"] * (len(t) // 2)]) for t in (TRAIN, table([0, 1], None))]
    for name, part in zip("ab", rows, strict=True):
        pq.write_table(part, folder / f"{name}.parquet")
    pq.write_table(rows[1], tmp_path / "test.parquet")
    assert prepare(DataConfig.model_validate(with_text)).schema.target.classes == (
        "a",
        "b",
    )  # of a column that is not in use


def test_what_cannot_be_read_by_names_is_refused(tmp_path):
    sound = {"validation": VALIDATION, "test": VALIDATION}
    assert refusal(tmp_path, train=TRAIN, validation=VALIDATION, test=table([0, 3])) == (
        "data.source.test: column 'label' holds 3, but has 3 names only (0 is 'pos', 1 is 'neg', 2 is 'so-so'); give "
        "numbers with names, or the names themselves"
    )
    assert refusal(tmp_path, train=table([0, 1, -1, -1] * 5), **sound) == (
        "data.label: column 'label' is -1, no label, in 10 training rows; remove them"
    )
    stars = ["1", "2", "3"]
    assert refusal(
        tmp_path, train=table([0, 1, 2] * 9, stars), validation=VALIDATION, test=table([1], None)
    ).startswith(
        "data.source.test: column 'label' holds numbers without names, and 0 is '1', 1 is '2', 2 is '3' elsewhere; "
    )
    assert refusal(
        tmp_path, train=table([0, 1] * 9, None), validation=table([0], ["a", "b"]), test=table([0], ["b", "a"])
    ).startswith("data.label: the splits name the numbers of column 'label' differently (0 is 'a', 1 is 'b' in one, ")


@pytest.mark.parametrize(
    "metadata",
    [
        b"not JSON",
        b"[1]",
        b"[" * 100_000,
        b'{"info": {"features": {"label": 3}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "a", "b"]}}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": []}}}}',
        b'{"info": {"features": {"label": {"_type": "Value", "dtype": "int64"}}}}',
    ],
)
def test_metadata_of_another_form_names_nothing(tmp_path, metadata):
    train, test = (t.replace_schema_metadata({b"huggingface": metadata}) for t in (TRAIN, VALIDATION))
    data = prepared(tmp_path, train=train, validation=test, test=test)
    assert (data.schema.target.classes, data.schema.target.names) == (("0", "1", "2"), ())


class Given(SourceConfig):
    """A source of someone's own that hands on the tables of `datasets`."""

    kind: str = "given"

    def tables(self):
        return {"train": TRAIN, "validation": VALIDATION, "test": VALIDATION}

    def fingerprint(self):
        return "1"


def test_tables_of_another_source_carry_their_names_too():
    assert prepare(DataConfig(source=Given(), text={"column": "text"}, label="label")).schema.target.classes[0] == "neg"


@pytest.fixture
def schema(tmp_path):
    return prepared(tmp_path, train=TRAIN, validation=VALIDATION, test=VALIDATION).schema


def found(path: Path, schema) -> list[str | None]:
    target = prepare_table(read_rows(path, schema), schema).column("target").to_pylist()
    return [None if t < 0 else schema.target.classes[t] for t in target]


@pytest.mark.parametrize("names", [NAMES, None])
def test_predict_reads_numbers_by_the_names_of_the_model(tmp_path, schema, names):
    pq.write_table(table([1, 2, -1, 0], names), tmp_path / "rows.parquet")
    assert found(tmp_path / "rows.parquet", schema) == ["neg", "so-so", None, "pos"]


def test_predict_reads_a_file_by_its_own_names(tmp_path, schema):
    pq.write_table(table([1, 0], ["pos", "so-so"]), tmp_path / "rows.parquet")
    assert found(tmp_path / "rows.parquet", schema) == ["so-so", "pos"]


@pytest.mark.parametrize(("written", "read"), [("1", "neg"), ("neg", "neg"), ("-1", None), ("", None)])
def test_predict_reads_a_csv_file_by_number_and_by_name(tmp_path, schema, written, read):
    (tmp_path / "rows.csv").write_text(f"text,label\na,{written}\n")
    assert found(tmp_path / "rows.csv", schema) == [read]


def test_predict_refuses_a_number_that_is_no_class(tmp_path, schema):
    pq.write_table(table([0, 7], None), tmp_path / "rows.parquet")
    with pytest.raises(RequestError, match=r"rows.parquet': column 'label' holds 7, but has 3 names only \(0 is 'pos'"):
        read_rows(tmp_path / "rows.parquet", schema)


def test_a_model_of_plain_numbers_keeps_them(tmp_path):
    schema = prepared(tmp_path, train=table([0, 1, 2] * 10, None), test=table([0], None)).schema
    pq.write_table(table([2, 0]), tmp_path / "rows.parquet")
    assert found(tmp_path / "rows.parquet", schema) == ["2", "0"]


def test_the_files_of_a_folder_keep_their_names(tmp_path):
    (tmp_path / "t").mkdir()
    for i in range(3):
        pq.write_table(TRAIN.slice(10 * i, 10), tmp_path / "t" / f"{i}.parquet")
    pq.write_table(VALIDATION, tmp_path / "test.parquet")
    source = {"kind": "parquet", "train": str(tmp_path / "t"), "test": str(tmp_path / "test.parquet")}
    data = prepare(DataConfig.model_validate({"source": source, "text": {"column": "text"}, "label": "label"}))
    assert data.schema.target.names == ("pos", "neg", "so-so")
    assert data.notes == (SAID,)
