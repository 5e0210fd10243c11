"""`dsray predict`: which prediction belongs to which row."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console
from tiny import write_tiny_artefact

from dsray.base import RequestError
from dsray.data import DataConfig, prepare
from dsray.record import Record
from dsray.terminal.console import console
from dsray.verbs.predict import predict_file


@pytest.fixture(scope="module")
def images_only(tmp_path_factory):
    data = prepare(DataConfig.model_validate({"source": {"kind": "digits", "questions": False}}))
    record = Record.create_at(tmp_path_factory.mktemp("runs") / "a run", "name: x\n", {})
    write_tiny_artefact(data, record.path / "compressed", steps=2)
    return record.path


def test_images_of_a_folder_are_told_apart_by_their_names(images_only, tmp_path):
    for name in ("b.png", "a.png", "c.png"):
        Image.new("L", (8, 8), 10).save(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    said = io.StringIO()
    predict_file(images_only, tmp_path, tmp_path / "out.parquet", Console(file=said))
    assert pq.read_table(tmp_path / "out.parquet").column("file").to_pylist() == ["a.png", "b.png", "c.png"]
    predict_file(images_only, tmp_path / "c.png", None, Console(file=said))
    assert "c.png" in said.getvalue()


def test_names_are_printed_as_they_are(tmp_path, capsys):
    """What rich would read as markup or as an emoji is part of a name."""
    data = prepare(DataConfig.model_validate({"source": {"kind": "digits", "questions": False}}))
    names = tuple(f"[/b]:smile:{name}" for name in data.schema.target.classes)
    schema = data.schema.replace(target=data.schema.target.replace(classes=names))
    record = Record.create_at(tmp_path / "a[/b]", "name: x\n", {})
    write_tiny_artefact(replace(data, schema=schema), record.path / "compressed", steps=2)
    Image.new("L", (8, 8)).save(tmp_path / "a[b].png")
    predict_file(record.path, tmp_path / "a[b].png", None, console())
    said = capsys.readouterr().out
    assert "a[b].png" in said and "[/b]:smile:" in said


def test_labels_that_name_no_class_are_told(images_only, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    said = io.StringIO()
    for label, words in (("3", "1 rows, accuracy"), ("three", "1 rows, none with a known label in column 'digit'")):
        (tmp_path / "rows.csv").write_text(f"image,digit\na.png,{label}\n")
        predict_file(images_only, tmp_path / "rows.csv", None, Console(file=said))
        assert words in said.getvalue()


def test_accuracy_says_how_many_labels_it_is_not_of(images_only, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    said = io.StringIO()
    rows = tmp_path / "rows.csv"
    rows.write_text("image,digit\na.png,3\n")
    answer = predict_file(images_only, rows, None, Console(file=said)).column("prediction")[0].as_py()
    rows.write_text("image,digit\n" + f"a.png,{answer}\n" * 3 + "a.png,three\n" * 2 + "a.png,\n")
    predict_file(images_only, rows, None, Console(file=said))
    assert (
        "6 rows, accuracy 100.0 % on the 3 with a known label; 2 with a label that the model does not know: 60.0 % with "
        "them; 1 without a label\n"
    ) in said.getvalue()


def test_only_a_plain_file_is_replaced(images_only, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    places = {"pipe": "is no plain file", ".": "is a folder", "a.png/x": "in no folder that exists"}
    for name, words in places.items():
        with pytest.raises(RequestError, match=rf"^out: .* {words}; give a file"):
            predict_file(images_only, tmp_path / "a.png", tmp_path / name, Console(quiet=True))
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(RequestError, match=r"^out: cannot write .* \(.+\); give another path"):
        predict_file(images_only, tmp_path / "a.png", Path("/proc/x.parquet"), Console(quiet=True))


@pytest.mark.parametrize("name", ["out.csv", "OUT.CSV", "out.parquet", "out.jsonl"])
def test_the_suffix_decides_what_is_written(images_only, tmp_path, name):
    rows = ["image,digit", *(f"{i}.png,{label}" for i, label in enumerate(("3", "three", "")))]
    for i in range(3):
        Image.new("L", (8, 8), 80 * i).save(tmp_path / f"{i}.png")
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    found = predict_file(images_only, tmp_path / "rows.csv", tmp_path / name, Console(quiet=True)).to_pylist()
    if name.endswith("parquet"):
        written = pq.read_table(tmp_path / name).to_pylist()
    elif name.endswith("jsonl"):
        written = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
    else:
        with (tmp_path / name).open(newline="") as file:
            written = [
                {
                    "prediction": row["prediction"],
                    "confidence": float(row["confidence"]),
                    "blocks_run": int(row["blocks_run"]),
                    "target": row["target"] or None,
                }
                for row in csv.DictReader(file)
            ]
    assert written == found
    assert [row["target"] for row in found] == ["3", None, None]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("name", "has"), [("out.txt", "the suffix .txt"), ("out", "no suffix"), (".csv", "no suffix")])
def test_another_suffix_is_refused_before_any_work(tmp_path, name, has):
    with pytest.raises(RequestError) as caught:
        predict_file(tmp_path / "no run", tmp_path / "no file", tmp_path / name, Console(quiet=True))
    assert str(caught.value) == f"out: {tmp_path / name} has {has}; needs .csv, .parquet or .jsonl (JSON lines)"


def test_what_is_wrong_with_the_rows_of_a_file_is_told(images_only, tmp_path):
    said = io.StringIO()
    for name, alpha in (("a.png", 0), ("b.png", 255)):
        Image.new("LA", (8, 8), (0, alpha)).save(tmp_path / name)
    (tmp_path / "rows.csv").write_text("image,digit\na.png,3\n,three\nb.png,\nb.png,4\n")
    predict_file(images_only, tmp_path / "rows.csv", None, Console(file=said))
    assert said.getvalue().splitlines()[:4] == [
        "image missing: 1 of 4 rows (25.0 %)",
        "image transparent: 1 of 4 rows (25.0 %)",
        "label missing: 1 of 4 rows (25.0 %)",
        "label unknown: 1 of 4 rows (25.0 %)",
    ]
    (tmp_path / "b.png").write_bytes(b"no picture")
    for given, where in (("rows.csv", r"rows.csv': column 'image', row 2, holds"), ("b.png", r"b.png': 'b.png' holds")):
        with pytest.raises(RequestError, match=rf"{where} 10 bytes starting with b'no pictu'; needs whole PNG or JPEG"):
            predict_file(images_only, tmp_path / given, None, Console(file=said))


def test_a_turned_picture_is_predicted_as_it_is_shown(images_only, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "b.png", exif=turned)
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "c.png")
    upright, shown, sideways = predict_file(images_only, tmp_path, None, Console(quiet=True))["confidence"].to_pylist()
    assert upright == shown != sideways
