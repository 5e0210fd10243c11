"""Parquet files, held-out rows, and data that does not fit its configuration."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig, ParquetConfig, SourceConfig, load_tables, prepare
from dsray.data.tables import check_columns
from dsray.engine.rows import RowFilter
from dsray.inputs import InputConfig
from dsray.targets.names import class_names


def refusal(section: dict) -> str:
    with pytest.raises(RequestError) as caught:
        load_tables(DataConfig.model_validate(section), seed=0)
    return str(caught.value)


def test_a_file_and_a_folder_of_its_pieces_are_the_same_rows(small, tmp_path, small_table):
    table = small_table(100)
    folder = tmp_path / "pieces"
    folder.mkdir()
    for i in range(4):
        pq.write_table(table.slice(i * 25, 25), folder / f"{i}.parquet")
    whole = ParquetConfig.model_validate(small["source"]).tables()["train"]
    assert ParquetConfig(train=str(folder), test=small["source"]["test"]).tables()["train"].equals(whole)


def test_environment_variables_in_paths(small, tmp_path, monkeypatch):
    monkeypatch.setenv("DSRAY_DATA", str(tmp_path))
    config = ParquetConfig(train="$DSRAY_DATA/train.parquet", test="${DSRAY_DATA}/test.parquet")
    assert len(config.tables()["train"]) == 100
    monkeypatch.delenv("DSRAY_DATA")
    with pytest.raises(RequestError, match=r"data.source.train: '\$DSRAY_DATA/train.parquet' names an environment"):
        config.tables()


def test_fingerprint_follows_the_content(small, tmp_path, small_table):
    config = ParquetConfig.model_validate(small["source"])
    before = config.fingerprint()
    (tmp_path / "train.parquet").touch()
    assert config.fingerprint() == before
    pq.write_table(small_table(100, seed=2), tmp_path / "train.parquet")
    assert config.fingerprint() != before


@pytest.mark.parametrize("seed", [0, 1])
def test_groups_are_held_out_whole(small, seed):
    tables = load_tables(DataConfig.model_validate({**small, "group": "person", "validation": 0.2}), seed)
    train, held = (set(tables[s]["person"].to_pylist()) for s in ("train", "validation"))
    assert not train & held
    assert (len(tables["train"]), len(tables["validation"]), len(tables["test"])) == (80, 20, 20)


def test_held_out_rows_depend_on_the_seed_alone(small):
    config = DataConfig.model_validate(small)
    first, again, other = (load_tables(config, seed)["validation"] for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)
    assert len(first) == 10


def test_a_validation_file_is_taken_as_it_is(small, tmp_path, small_table):
    pq.write_table(small_table(7, seed=3), tmp_path / "val.parquet")
    source = {**small["source"], "validation": str(tmp_path / "val.parquet")}
    tables = load_tables(DataConfig.model_validate({**small, "source": source}), seed=0)
    assert (len(tables["train"]), len(tables["validation"])) == (100, 7)


def test_null_groups_stay_together(small, small_table):
    table = small_table(100).drop_columns(["person"])
    person = pa.array([None if i < 50 else i for i in range(100)]).dictionary_encode()
    pq.write_table(table.append_column("person", person), Path(small["source"]["train"]))
    tables = load_tables(DataConfig.model_validate({**small, "group": "person", "validation": 0.3}), seed=1)
    nulls = [tables[s]["person"].null_count for s in ("train", "validation")]
    assert sorted(nulls) == [0, 50]


def test_missing_columns_are_named_with_the_nearest(small):
    assert refusal({**small, "label": "clas"}) == (
        "data.label: the train rows have no column 'clas'; did you mean 'class'?"
    )
    image = {"column": "pictures", "size": 8}
    assert refusal({**small, "image": image}).startswith("data.image.column: the train rows have no column 'pictures'")
    text = {"column": "words"}
    assert refusal({**small, "text": text}).endswith("'words'; valid: picture, note, class, person")
    assert refusal({**small, "group": "persn"}).startswith("data.group: the train rows have no column 'persn'; did you")
    assert refusal({**small, "show": ["persn"]}).startswith("data.show.0: the train rows have no column 'persn'; did")


class Measured(InputConfig):
    """An input of several columns under one key."""

    kind: str = "tests:Measured"
    measured: tuple[str, ...] = ("weight", "height")

    @property
    def columns(self) -> tuple[str, ...]:
        return self.measured

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if pa.types.is_floating(kind) else "numbers"


def test_every_column_of_an_input_is_looked_for():
    source = {"kind": "parquet", "train": "a", "test": "b"}
    config = DataConfig.model_validate({"source": source, "inputs": {"visit": Measured()}, "label": "y"})
    rows = pa.table({"weight": [1.0], "height": [1.0], "y": ["a"]})
    check_columns(config, rows, "train")
    for column in Measured().columns:
        with pytest.raises(RequestError, match=rf"^data.inputs.visit.measured: the train rows .* '{column}'"):
            check_columns(config, rows.drop_columns(column), "train")
        other = rows.set_column(rows.column_names.index(column), column, pa.array(["a"]))
        with pytest.raises(RequestError, match=rf"^data.inputs.visit.measured: '{column}' holds string; needs numbers"):
            check_columns(config, other, "train")


def test_a_column_missing_in_the_test_rows_is_named(small, tmp_path, small_table):
    pq.write_table(small_table(20).drop_columns(["class"]), tmp_path / "test.parquet")
    assert refusal(small).startswith("data.label: the test rows have no column 'class'")


def test_columns_of_the_wrong_type(small):
    image = {"column": "person", "size": 8}
    assert (
        refusal({**small, "image": image, "show": []})
        == "data.image.column: 'person' holds int64; needs PNG or JPEG bytes"
    )
    assert refusal({**small, "text": {"column": "person"}}) == "data.text.column: 'person' holds int64; needs text"


def test_files_that_are_not_parquet(small, tmp_path, small_table):
    (tmp_path / "bad.parquet").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    pq.write_table(small_table(0), tmp_path / "none.parquet")
    cases = {
        "bad.parquet": "is not a Parquet file",
        "absent.parquet": "does not exist; needs a Parquet file or a folder of them",
        "empty": "no *.parquet in folder",
        "none.parquet": "has no rows",
    }
    for name, words in cases.items():
        said = refusal({**small, "source": {**small["source"], "train": str(tmp_path / name)}})
        assert said.startswith("data.source.train: "), said
        assert words in said
        assert str(tmp_path / name) in said


def test_nothing_to_hold_out(small, small_table):
    table = small_table(30).drop_columns(["person"]).append_column("person", pa.array(np.zeros(30, dtype=np.int64)))
    pq.write_table(table, Path(small["source"]["train"]))
    assert refusal({**small, "group": "person"}).startswith("data.group: column 'person' has one value only")


class NoTraining(SourceConfig):
    """A source of someone's own that forgets the training rows."""

    kind: str = "no_training"

    def tables(self):
        return {"test": pa.table({"class": ["a"]})}


def test_a_source_without_training_rows_is_refused(small):
    assert refusal({**small, "source": NoTraining()}) == "data.source: source 'no_training' gave no train rows"


def rewrite(small, split, change):
    path = Path(small["source"][split])
    pq.write_table(change(pq.read_table(path)), path)


def cast(column, kind):
    def change(table):
        place = table.column_names.index(column)
        return table.set_column(place, column, table.column(column).cast(kind))

    return change


@pytest.mark.parametrize(
    ("column", "train", "test"),
    [
        ("person", pa.int64(), pa.int32()),
        ("person", pa.int64(), pa.float64()),
        ("class", pa.string(), pa.dictionary(pa.int32(), pa.string())),
        ("note", pa.dictionary(pa.int32(), pa.string()), pa.large_string()),
        ("note", pa.string(), pa.string_view()),
        ("picture", pa.binary_view(), pa.large_binary()),
    ],
)
def test_splits_written_with_other_types_are_one(small, column, train, test):
    whole = prepare(DataConfig.model_validate(small))
    rewrite(small, "train", cast(column, train))
    rewrite(small, "test", cast(column, test))
    again = prepare(DataConfig.model_validate(small))
    assert again.schema == whole.schema
    for name, values in whole.columns.items():
        assert np.array_equal(again.columns[name], values), name
    assert again.shown.column("person").to_pylist() == whole.shown.column("person").to_pylist()


def test_splits_whose_types_have_nothing_in_common(small):
    rewrite(small, "test", cast("person", pa.string()))
    assert refusal(small) == (
        "data.source: column 'person' holds int64 in the train rows, int64 in the validation rows, string in the test "
        "rows; needs one type in all"
    )


def test_whole_numbers_name_rows_also_where_nulls_of_another_split_made_floats_of_them(small):
    def numbered(table, null):
        site = [None if null and i == 0 else i % 2 for i in range(len(table))]
        return table.append_column("site", pa.array(site, pa.float64() if null else pa.int64()))

    rewrite(small, "train", lambda table: numbered(table, null=False))
    rewrite(small, "test", lambda table: numbered(table, null=True))
    data = prepare(DataConfig.model_validate({**small, "show": ["site"]}))
    for value in ("1", "1.0"):
        assert len(RowFilter(column="site", values=(value,)).select(data, "test")) == len(data.splits["test"]) // 2
    assert len(RowFilter(column="site", values=("None",)).select(data, "test")) == 1


def test_a_column_that_is_there_twice(small):
    rewrite(small, "test", lambda table: table.append_column("class", table.column("class")))
    assert refusal(small) == "data.label: the test rows have 2 columns 'class'; rename all but one"


def test_groups_and_labels_of_types_without_an_order(small):
    nested = pa.array([[i] for i in range(100)])
    rewrite(small, "train", lambda table: table.append_column("of", nested))
    assert refusal({**small, "group": "of"}).startswith("data.group: 'of' holds list<")
    halves = pa.array([0.5 * (i % 2) for i in range(100)])
    for split in ("train", "test"):
        rewrite(small, split, lambda t: t.drop_columns("class").append_column("class", halves[: len(t)]))
    with pytest.raises(
        RequestError, match=r"data.label: column 'class' holds fractions or NaN \(double\); needs whole"
    ):
        prepare(DataConfig.model_validate(small))


def test_minus_zero_is_the_class_zero(small):
    for split in ("train", "test"):
        numbers = pa.array([0.0 if split == "train" else -0.0, 1.0] * 50)
        rewrite(small, split, lambda t, n=numbers: t.drop_columns("class").append_column("class", n[: len(t)]))
    data = prepare(DataConfig.model_validate(small))
    assert data.schema.target.classes == ("0", "1") and data.counts["test"]["label"] == {"missing": 0, "unknown": 0}


def test_half_floats_and_words_that_read_as_numbers():
    half = pa.chunked_array([pa.array(np.array([1, 0], np.float16))])
    assert class_names(half, "y") == ("0", "1")
    for words in (["nan", "2", "inf", "1", "a"], ["a", "1", "inf", "2", "nan"]):
        assert class_names(pa.chunked_array([words]), "y") == ("1", "2", "a", "inf", "nan")


def test_a_relative_path_that_is_not_there_tells_where_it_was_looked_for(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refusal({**small, "source": {**small["source"], "train": "rows.parquet"}})
    assert said.startswith(f"data.source.train: 'rows.parquet' does not exist in {tmp_path}; needs")
