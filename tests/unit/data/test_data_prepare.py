"""Prepared rows, batches and the cache."""

import json
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dsray.base import RunFailure
from dsray.data import (
    DataConfig,
    Prepared,
    fingerprint_of,
    fit_schema,
    load_tables,
    prepare,
    prepare_table,
    to_batch,
)


def test_rows_are_numbered_train_validation_test(digits):
    tables = load_tables(DataConfig())
    assert [digits.splits[s][0] for s in ("train", "validation", "test")] == [0, 3774, 4314]
    assert np.array_equal(np.concatenate(list(digits.splits.values())), np.arange(len(digits)))
    row = digits.splits["test"][5]
    original = tables["test"].slice(5, 1).to_pylist()[0]
    shown = digits.shown.slice(row, 1).to_pylist()[0]
    assert shown == {k: original[k] for k in ("question", "question_kind", "digit", "image_id")}
    assert digits.schema.target.classes[digits.columns["target"][row]] == original["answer"]


def test_blocks_prepared_one_by_one_are_the_same(small):
    config = DataConfig.model_validate(small)
    tables = load_tables(config, 0)
    schema = fit_schema(config, tables["train"])
    blocks = [prepare_table(tables["train"].slice(i, 7), schema) for i in range(0, len(tables["train"]), 7)]
    assert pa.concat_tables(blocks).equals(prepare_table(tables["train"], schema))
    assert len(prepare_table(tables["train"].slice(0, 0), schema)) == 0


def test_gather_scales_and_identifies_rows(digits):
    rows = np.array([7, 3, 7])
    columns = digits.take(rows, np.array([0, 1, 2]))
    assert columns["image"].dtype == np.float32
    assert np.array_equal(columns["image"], digits.columns["image"][rows].astype(np.float32) / np.float32(255))
    assert columns["image"].max() <= 1.0
    assert (columns["row"].tolist(), columns["epoch"].tolist()) == ([7, 3, 7], [0, 1, 2])
    assert digits.take(rows)["epoch"].tolist() == [0, 0, 0]
    columns["image"][:] = 0  # copies: the data set stays as it is
    assert digits.columns["image"][rows].any()


def test_a_batch_shares_memory_and_accepts_read_only_columns(digits, recwarn):
    columns = digits.take(np.arange(4))
    batch = to_batch(columns, digits.schema)
    assert batch.inputs["image"].shape == (4, 1, 8, 8)
    assert batch.inputs["image"].data_ptr() == columns["image"].ctypes.data
    assert str(batch.inputs["text"].dtype) == str(batch.target.dtype) == "torch.int64"
    assert batch.present["text"].all()
    for values in columns.values():
        values.flags.writeable = False
    columns["image"] = digits.columns["image"][:4]  # uint8, as mapped from the cache
    again = to_batch(columns, digits.schema)
    assert (again.inputs["image"] == batch.inputs["image"]).all()
    assert not recwarn.list


def test_preparing_the_digits_takes_less_than_a_second():
    start = time.process_time()
    prepare(DataConfig())
    assert time.process_time() - start < 1.0


# cache


def same(a: Prepared, b: Prepared) -> bool:
    types = {k: v.dtype for k, v in a.columns.items()} == {k: v.dtype for k, v in b.columns.items()}
    columns = types and all(np.array_equal(a.columns[k], b.columns[k]) for k in a.columns)
    splits = all(np.array_equal(a.splits[k], b.splits[k]) for k in a.splits)
    return columns and splits and a.schema == b.schema and a.fingerprint == b.fingerprint and a.shown.equals(b.shown)


def test_the_cache_gives_back_what_was_prepared(small, tmp_path):
    config = DataConfig.model_validate(small)
    direct, first, second = prepare(config), prepare(config, tmp_path / "c"), prepare(config, tmp_path / "c")
    assert same(direct, first)
    assert same(direct, second)
    assert [f.name for f in (tmp_path / "c").iterdir()] == [direct.fingerprint]
    assert not second.columns["image"].flags.owndata


def test_the_fingerprint_follows_everything_that_matters(small):
    config = DataConfig.model_validate(small)
    changed = [
        config.replace(validation=0.2),
        config.replace(text={**small["text"], "length": 5}),
        config.replace(image={**small["image"], "channels": 3}),
        config.replace(show=[]),
    ]
    prints = {fingerprint_of(c, 0) for c in [config, *changed]} | {fingerprint_of(config, 1)}
    assert len(prints) == 6
    assert fingerprint_of(DataConfig.model_validate(small), 0) in prints


@pytest.mark.parametrize("damage", ["no manifest", "cut rows", "no rows", "torn manifest"])
def test_a_half_written_folder_is_never_read(small, tmp_path, damage):
    config = DataConfig.model_validate(small)
    prepared = prepare(config, tmp_path / "c")
    folder = tmp_path / "c" / prepared.fingerprint
    rows, about = folder / "rows.bin", folder / "prepared.json"
    if damage == "no manifest":
        about.unlink()
    elif damage == "torn manifest":
        about.write_text(about.read_text()[:20])
    elif damage == "cut rows":
        os.truncate(rows, rows.stat().st_size // 2)
    else:
        rows.unlink()
    with pytest.raises(RunFailure, match="does not hold a whole prepared data set"):
        Prepared.load(folder)
    assert same(prepare(config, tmp_path / "c"), prepare(config))


def test_what_a_killed_writer_leaves_is_ignored(small, tmp_path):
    config = DataConfig.model_validate(small)
    left = tmp_path / "c" / f".{fingerprint_of(config)}.123.tmp"
    left.mkdir(parents=True)
    (left / "rows.bin").write_bytes(b"half")
    assert same(prepare(config, tmp_path / "c"), prepare(config))


def test_a_second_writer_leaves_the_first_ones_folder(small, tmp_path):
    prepared = prepare(DataConfig.model_validate(small))
    prepared.save(tmp_path / "p")
    before = (tmp_path / "p" / "rows.bin").stat().st_ino
    prepared.save(tmp_path / "p")
    assert (tmp_path / "p" / "rows.bin").stat().st_ino == before
    assert [f.name for f in tmp_path.iterdir() if f.name.endswith(".tmp")] == []


def flip(path, position, bit=1):
    content = bytearray(path.read_bytes())
    content[position] ^= bit
    path.write_bytes(content)


def test_a_flipped_bit_anywhere_in_the_cache_is_noticed(small, tmp_path):
    """At once where it is small, else by whoever first reads the rows that it lies in."""
    folder = tmp_path / "p"
    prepare(DataConfig.model_validate(small)).save(folder)

    def read():
        data = Prepared.load(folder)
        data.take(np.arange(len(data)))
        data.shown.to_pylist()

    read()
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        for position in [*range(0, size, max(1, size // 60)), size - 1]:
            flip(path, position)
            with pytest.raises(RunFailure, match=r"^data: .*delete .*prepare") as caught:
                read()
            assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
            flip(path, position)
    read()


def test_a_cache_that_is_damaged_in_what_is_read_at_once_is_prepared_again(small, tmp_path):
    config = DataConfig.model_validate(small)
    folder = tmp_path / "c" / prepare(config, tmp_path / "c").fingerprint
    place = json.loads((folder / "prepared.json").read_text())["rows.bin"]["columns"]["target"]["offset"]
    for path, position in ((folder / "rows.bin", place), (folder / "prepared.json", 40)):
        flip(path, position)
        with pytest.raises(RunFailure):
            Prepared.load(folder)
        assert same(prepare(config, tmp_path / "c"), prepare(config))
        assert same(Prepared.load(folder), prepare(config))


def test_rows_are_compared_once_and_only_those_that_are_read(monkeypatch, tmp_path):
    from dsray.data import stored

    rng = np.random.default_rng(0)
    columns = {
        "image": rng.integers(0, 255, (200, 5_000), np.uint8),  # 52 rows to a block
        "wide": rng.integers(0, 255, (200, 70_000), np.int64),  # two to three blocks to a row
        "target": np.arange(200),
    }
    about = stored.write_columns(tmp_path / "rows.bin", columns)
    compared = []
    crc32 = stored.zlib.crc32
    monkeypatch.setattr(
        stored.zlib, "crc32", lambda content, *rest: compared.append(len(content)) or crc32(content, *rest)
    )
    found = stored.StoredColumns(tmp_path / "rows.bin", about)
    assert compared == []
    for rows in (np.array([7, 3, 7]), np.array([199]), np.array([5, 3])):
        read = found.around(rows)
        assert all(np.array_equal(read[name][rows], values[rows]) for name, values in columns.items())
    touched = set()
    for name, place in about["columns"].items():
        size = columns[name][0].nbytes
        for row in (3, 5, 7, 199):
            first = place["offset"] + row * size
            touched |= set(range(first // stored.BLOCK, (first + size - 1) // stored.BLOCK + 1))
    assert len(compared) == len(touched) < len(about["sums"]) // 20
    before = len(compared)
    found.around(np.array([7, 199, 3]))
    assert len(compared) == before
    assert np.array_equal(found["wide"], columns["wide"])
    assert np.array_equal(found["image"], columns["image"])
    for _ in range(2):
        found.around(np.arange(200))
    assert len(compared) == len(about["sums"])
    assert not found["wide"].flags.writeable
    assert {name: values.dtype for name, values in found.items()} == {n: v.dtype for n, v in columns.items()}


@pytest.mark.parametrize("row", [0, 51, 52, 53, 199])
def test_damage_is_found_through_the_rows_that_it_lies_in(tmp_path, row):
    from dsray.data import stored

    columns = {"image": np.random.default_rng(1).integers(0, 255, (200, 5_000), np.uint8)}
    about = stored.write_columns(tmp_path / "rows.bin", columns)
    flip(tmp_path / "rows.bin", row * 5_000 + 4_999)
    block = (row * 5_000 + 4_999) // stored.BLOCK
    for other in range(200):
        found = stored.StoredColumns(tmp_path / "rows.bin", about)
        touched = {other * 5_000 // stored.BLOCK, (other * 5_000 + 4_999) // stored.BLOCK}
        if block in touched:
            with pytest.raises(RunFailure, match=f"block {block + 1} of 4 is not what was written"):
                found.around(np.array([other]))
        else:
            found.around(np.array([other]))


def test_a_pickled_data_set_has_been_compared(small, tmp_path):
    """It is what other processes get, which compare nothing."""
    folder = tmp_path / "p"
    direct = prepare(DataConfig.model_validate(small))
    direct.save(folder)
    again = pickle.loads(pickle.dumps(Prepared.load(folder)))
    assert same(again, direct) and type(again.columns) is dict
    for name in ("rows.bin", "shown.arrow"):
        flip(folder / name, (folder / name).stat().st_size // 2)
        with pytest.raises(RunFailure, match=rf"{name} is damaged"):
            pickle.dumps(Prepared.load(folder))
        flip(folder / name, (folder / name).stat().st_size // 2)


def test_two_writers_at_once_leave_one_whole_folder(small, tmp_path):
    """Each with the same process id in its name for all that the other knows."""
    data = prepare(DataConfig.model_validate(small))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: data.save(tmp_path / "c" / "p"), range(16)))
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["p"]
    assert same(Prepared.load(tmp_path / "c" / "p"), data)


def test_nothing_of_the_pipeline_needs_torch():
    code = (
        "import sys; from pathlib import Path; from dsray.data import *; from dsray.augment import *\n"
        "p = prepare(DataConfig()); ops = AugmentConfig(operations=['shift']).build(p.schema)\n"
        "augment(p.take(p.splits['test'][:3]), ops, p.schema, 0, 'clean'); print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd())
    assert (done.stdout.strip(), done.stderr) == ("False False", "")
