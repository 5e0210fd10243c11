"""What is said of the prepared rows: rows that two splits share, labels that are no classes, classes without rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.data import DataConfig, Prepared, prepare
from dsray.data.remarks import repeated
from dsray.data.sources.source import same_files


def write(folder: Path, **splits: dict) -> dict:
    """A `data` section over files of texts and labels; other columns as they are."""
    source = {"kind": "parquet"}
    for split, columns in splits.items():
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
        source[split] = str(folder / f"{split}.parquet")
    return {"source": source, "text": {"column": "text", "vocabulary": 300, "length": 12}, "label": "label"}


def rows(texts, labels) -> dict:
    return {"text": list(texts), "label": list(labels)}


def said(section: dict, cache: Path | None = None) -> tuple[str, ...]:
    return prepare(DataConfig.model_validate(section), cache).notes


TRAIN = rows([f"number {i}" for i in range(40)], ["a", "b"] * 20)
OTHER = rows([f"other {i}" for i in range(10)], ["a", "b"] * 5)


def test_nothing_is_said_of_sound_rows(tmp_path, digits):
    assert said(write(tmp_path, train=TRAIN, validation=OTHER, test=rows(["one", "two"], "ab"))) == ()
    assert digits.notes == ()  # its questions and its images repeat, a question with its image does not


def test_test_rows_that_also_stand_in_training_are_counted_with_their_labels(tmp_path):
    texts = ["number 1", "NUMBER  2", "number 3", "number 3", "new", None, None]
    test = rows(texts, ["b", "unheard of", "a", None, "a", "a", "b"])
    train = rows([*TRAIN["text"], None], [*TRAIN["label"], "a"])
    section = write(tmp_path, train=train, validation=OTHER, test=test)
    notes = said(section, tmp_path / "cache")
    assert notes == (
        "4 of the 7 test rows also stand in training, with the same text as the model reads them; "
        "2 of them have another label there",
    )
    assert said(section, tmp_path / "cache") == notes


def test_both_inputs_and_what_is_missing_belong_to_a_row(small, small_table, png):
    table = small_table(100)
    change = table.slice(0, 6).to_pydict()
    change["picture"] = [change["picture"][0], png(np.zeros((6, 5), np.uint8)), None, *change["picture"][3:]]
    change["note"] = [change["note"][0], change["note"][1], change["note"][2], None, "a new one", change["note"][5]]
    change["class"][5] = "c0" if change["class"][5] != "c0" else "c1"
    pq.write_table(table, small["source"]["train"])
    pq.write_table(pa.table(change, schema=table.schema), small["source"]["test"])
    source = {**small["source"], "validation": small["source"]["test"]}
    data = prepare(DataConfig.model_validate({**small, "source": source}))
    assert repeated(data, "test") == repeated(data, "validation") == (2, 1)
    assert sum("also stand in training, with the same image and text" in note for note in data.notes) == 2


def test_many_repeated_rows_are_counted_as_a_plain_search_would(tmp_path):
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30)]
    make = lambda n: rows([" ".join(random.choice(words, 2)) for _ in range(n)], random.choice(["a", "b", "c"], n))  # noqa: E731
    train, test = make(400), make(300)
    data: Prepared = prepare(DataConfig.model_validate(write(tmp_path, train=train, validation=OTHER, test=test)))
    labels = {text: {la for t, la in zip(*train.values(), strict=True) if t == text} for text in train["text"]}
    again = [(t, la) for t, la in zip(*test.values(), strict=True) if t in labels]
    assert repeated(data, "test") == (len(again), sum(la not in labels[t] for t, la in again))
    assert 0 < sum(la not in labels[t] for t, la in again) < len(again) < 300


def test_one_file_for_two_splits_is_told(tmp_path):
    section = write(tmp_path, train=TRAIN, validation=OTHER, test=TRAIN)
    source = section["source"]
    here = "data.source.test holds the same bytes as data.source.train"
    assert said(section)[0] == f"{here} (test.parquet is train.parquet): its figures are not about new rows"
    source["test"] = source["train"]
    assert said(section)[0] == f"{here} (train.parquet): its figures are not about new rows"
    assert said(section)[1].startswith("40 of the 40 test rows also stand in training")
    folder = tmp_path / "all"
    folder.mkdir()
    shutil.copy(source["train"], folder / "a.parquet")
    pq.write_table(pa.table(OTHER), folder / "b.parquet")
    source.update(train=str(folder), validation=str(folder / "b.parquet"), test=str(tmp_path / "new.parquet"))
    pq.write_table(pa.table(rows(["one", "two"], "ab")), source["test"])
    assert said(section)[0].startswith("data.source.validation holds the same bytes as data.source.train (b.parquet)")


def test_many_equal_files_are_one_sentence():
    contents = {f"{split}: {i}.parquet": str(i) for split in ("train", "test") for i in range(5)}
    assert same_files({**contents, "test: new.parquet": "x"}) == [
        "data.source.test holds the same bytes as data.source.train (0.parquet, 1.parquet, 2.parquet and 2 more): "
        "its figures are not about new rows"
    ]
    assert same_files({"train: a": "1", "train: b": "1", "test: a": "2"}) == []


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.arange(303) % 101, "the label 'label' holds 101 different numbers, 0 to 100, in 303 training rows"),
        (np.arange(90.0) // 1.2 * 10, "the label 'label' holds 75 different numbers, 0 to 740, in 90 training rows"),
        ([f"id{i // 1.2}" for i in range(90)], "the label 'label' has 75 classes for 90 training rows, about one row"),
        (np.arange(300) % 100, None),
        ([f"w{i % 150}" for i in range(300)], None),
    ],
)
def test_labels_that_look_like_no_classes(tmp_path, labels, words):
    train = {"text": [f"t {i}" for i in range(len(labels))], "label": labels}
    split = {"text": [f"v {i}" for i in range(len(labels))], "label": labels}
    notes = said(
        write(tmp_path, train=train, validation=split, test={**split, "text": [f"w {t}" for t in split["text"]]})
    )
    assert [note[: len(words)] for note in notes] == [words] if words else notes == ()


def test_classes_that_no_row_of_a_split_has(tmp_path):
    train = rows([f"number {i}" for i in range(49)], [f"c{i // 4:02}" for i in range(48)] + ["rare"])
    test = rows([f"other {i}" for i in range(12)], [f"c{i:02}" for i in range(12)])
    assert said({**write(tmp_path, train=train, test=test), "validation": 0.25}) == (
        "1 of the 13 classes ('rare') has no validation row; 1 of them has a single training row",
        "1 of the 13 classes ('rare') has no test row; 1 of them has a single training row",
    )


def test_a_share_that_groups_do_not_allow_is_told(tmp_path):
    train = {**rows([f"number {i}" for i in range(80)], ["a", "b"] * 40), "by": np.arange(80) // 40}
    section = {**write(tmp_path, train=train, test=OTHER), "group": "by"}
    assert said(section) == (
        "40 of 80 training rows (50.0 %) are held out for validation, not 10.0 %: the groups of column 'by' are not divided",
    )
