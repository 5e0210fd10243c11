"""Image columns `{bytes, path}`: the files that they name are read, fingerprinted, and told when they are not there."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig, contents_of, fingerprint_of, prepare, prepare_table, read_rows

KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def named(small, png) -> dict:
    """`small` with pictures beside the Parquet files: every third row holds its bytes, the others name a file."""
    for split in ("train", "test"):
        path = Path(small["source"][split])
        table, rows = pq.read_table(path), []
        (path.parent / "pictures").mkdir(exist_ok=True)
        for i, content in enumerate(table["picture"].to_pylist()):
            name = f"pictures/{split}-{i}.png"
            (path.parent / name).write_bytes(content)
            rows.append({"bytes": content, "path": name} if i % 3 == 0 else {"bytes": None, "path": name})
        pq.write_table(table.set_column(0, "picture", pa.array(rows, KIND)), path)
    return small


def rewrite(section: dict, split: str, place: int, row: dict | None) -> None:
    table = pq.read_table(section["source"][split])
    rows = table["picture"].to_pylist()
    rows[place] = row
    pq.write_table(table.set_column(0, "picture", pa.array(rows, KIND)), section["source"][split])


def test_files_beside_the_parquet_file_are_the_same_as_their_bytes(small, named, small_table, tmp_path):
    found = prepare(DataConfig.model_validate(named))
    for split, seed in (("train", 0), ("test", 1)):
        pq.write_table(small_table(100 if split == "train" else 20, seed), small["source"][split])
    plain = prepare(DataConfig.model_validate(small))
    assert plain.columns["image"].any()
    for name, values in plain.columns.items():
        assert np.array_equal(found.columns[name], values), name


@pytest.mark.parametrize("words", [pa.dictionary(pa.int32(), pa.string()), pa.large_string()], ids=str)
def test_names_of_files_may_be_stored_in_any_way_that_holds_text(named, words):
    before = prepare(DataConfig.model_validate(named))
    for split in ("train", "test"):
        table = pq.read_table(named["source"][split])
        held = table["picture"].combine_chunks()
        parts = [held.field("bytes"), held.field("path").cast(words)]
        column = pa.StructArray.from_arrays(parts, names=["bytes", "path"])
        pq.write_table(table.set_column(0, "picture", column), named["source"][split])
    config = DataConfig.model_validate(named)
    after = prepare(config)
    assert [found["image"]["missing"] for found in after.counts.values()] == [0, 0, 0]
    assert np.array_equal(after.columns["image"], before.columns["image"])
    assert any("train-1.png" in str(file) for file in config.source.named_files("picture"))


def test_a_path_is_looked_for_beside_the_file_and_then_where_the_command_runs(named, png, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, value in (("here.png", 50), ("pictures/train-1.png", 60)):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(png(np.full((6, 5), value, np.uint8)))
    rewrite(named, "test", 0, {"bytes": None, "path": "here.png"})
    rewrite(named, "test", 1, {"bytes": None, "path": str(tmp_path / "elsewhere" / "here.png")})
    rewrite(named, "test", 2, {"bytes": None, "path": "pictures/train-1.png"})
    data = prepare(DataConfig.model_validate(named))
    first = data.splits["test"][0]
    assert data.columns["image"][first : first + 2].tolist() == [[[[50] * 5] * 6]] * 2
    assert (data.columns["image"][first + 2] != 60).any()


def test_neither_bytes_nor_path_is_missing(named):
    for place, row in enumerate((None, {"bytes": None, "path": None}, {"bytes": None, "path": ""})):
        rewrite(named, "test", place, row)
    data = prepare(DataConfig.model_validate(named))
    assert data.counts["test"]["image"]["missing"] == 3
    assert data.columns["present.image"][data.splits["test"]].tolist() == [False] * 3 + [True] * 17


def test_columns_of_a_split_may_hold_no_bytes_at_all(named, tmp_path):
    kind = pa.struct([("bytes", pa.null()), ("path", pa.string())])
    table = pq.read_table(named["source"]["test"])
    rows = [{"bytes": None, "path": f"pictures/test-{i}.png"} for i in range(len(table))]
    before = prepare(DataConfig.model_validate(named)).columns["image"]
    pq.write_table(table.set_column(0, "picture", pa.array(rows, kind)), named["source"]["test"])
    assert np.array_equal(prepare(DataConfig.model_validate(named)).columns["image"], before)


@pytest.mark.parametrize("validation", [False, True], ids=["held out", "given"])
def test_a_file_that_is_not_there_is_named_with_its_split_and_row(named, tmp_path, validation):
    if validation:
        named["source"]["validation"] = named["source"]["test"]
    for split, row in (("train", 17), ("test", 4)):
        (tmp_path / "pictures" / f"{split}-{row}.png").unlink()
        with pytest.raises(RequestError) as caught:
            prepare(DataConfig.model_validate(named))
        place, told = tmp_path / f"{split}.parquet", "validation" if validation and split == "test" else split
        assert str(caught.value) == (
            f"data.image.column: column 'picture', row {row} of '{place}' ({told}), names the file "
            f"'{tmp_path}/pictures/{split}-{row}.png', which is not there or cannot be read; needs bytes, or a PNG or "
            "JPEG file"
        )
        (tmp_path / "pictures" / f"{split}-{row}.png").write_bytes((tmp_path / "pictures/train-0.png").read_bytes())


def test_a_broken_picture_is_found_in_its_own_file_of_a_folder(small, small_table, tmp_path):
    (tmp_path / "pieces").mkdir()
    for i in range(3):
        pictures = small_table(30, i)["picture"].to_pylist()
        pictures[7] = b"/data/7.png" if i == 2 else pictures[7]
        pq.write_table(
            small_table(30, i).set_column(0, "picture", pa.array(pictures)), tmp_path / f"pieces/{i}.parquet"
        )
    small["source"]["train"] = str(tmp_path / "pieces")
    with pytest.raises(RequestError, match=rf"row 7 of '{tmp_path}/pieces/2.parquet' \(train\), holds 11 bytes start"):
        prepare(DataConfig.model_validate(small))


def test_a_changed_picture_is_not_answered_from_the_cache(named, png, tmp_path):
    config = DataConfig.model_validate(named)
    before, first = fingerprint_of(config), prepare(config, tmp_path / "cache")
    (tmp_path / "pictures/test-1.png").write_bytes(png(np.full((6, 5), 9, np.uint8)))
    assert fingerprint_of(config) != before
    again = prepare(config, tmp_path / "cache")
    changed = np.flatnonzero((again.columns["image"] != first.columns["image"]).any(axis=(1, 2, 3)))
    assert changed.tolist() == [first.splits["test"][1]]
    (tmp_path / "pictures/test-1.png").touch()
    (tmp_path / "pictures/test-0.png").write_bytes(b"")  # this row holds its bytes
    assert fingerprint_of(config) == again.fingerprint


def test_what_the_rows_name_belongs_to_the_content_wherever_it_lies(named, png, tmp_path):
    def contents(folder: Path) -> dict[str, str]:
        source = {"kind": "parquet", **{split: str(folder / f"{split}.parquet") for split in ("train", "test")}}
        return contents_of(DataConfig.model_validate({**named, "source": source}))

    before = contents(tmp_path)
    assert list(before) == ["train: train.parquet", "test: test.parquet", "a picture that a row names"]
    (tmp_path / "other").mkdir()
    for name in ("pictures", "train.parquet", "test.parquet"):
        (tmp_path / name).rename(tmp_path / "other" / name)
    assert contents(tmp_path / "other") == before
    (tmp_path / "other/pictures/test-1.png").write_bytes(png(np.full((6, 5), 9, np.uint8)))
    after = contents(tmp_path / "other")
    assert [name for name in before if before[name] != after[name]] == ["a picture that a row names"]


def test_files_of_columns_that_are_not_in_use_do_not_matter(named, tmp_path):
    del named["image"]
    config = DataConfig.model_validate(named)
    before = fingerprint_of(config)
    (tmp_path / "pictures/test-1.png").unlink()
    assert fingerprint_of(config) == before
    assert len(prepare(config)) == 120


def test_predict_reads_the_files_that_its_rows_name(named, tmp_path):
    data = prepare(DataConfig.model_validate(named))
    table = prepare_table(read_rows(tmp_path / "test.parquet", data.schema), data.schema)
    expected = data.columns["image"][data.splits["test"]].reshape(20, -1)
    assert np.array_equal(np.array(table["image"].to_pylist()), expected)
