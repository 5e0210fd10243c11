"""A verb on a record works on the rows that the record was made from, read as they were read then, or says what changed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dsray.cli import main
from dsray.data import DataConfig, prepare
from dsray.record import Record
from dsray.record.int8 import int8_figures

WORDS = {"good": ["fine", "nice", "lovely"], "bad": ["awful", "poor", "nasty"]}


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))


def verb(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--local"])
    return int(ended.value.code or 0)


def write(path: Path, rows: int, turn: int = 0) -> None:
    labels = [list(WORDS)[i % 2] for i in range(rows)]
    texts = [f"a {WORDS[label][(i + turn) % 3]} thing number {i + turn}" for i, label in enumerate(labels)]
    pq.write_table(pa.table({"text": texts, "label": labels}), path)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder with rows, an experiment that names them by relative paths, and the record of its run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows/train.parquet", 80)
    write(tmp_path / "rows/test.parquet", 40, turn=7)
    experiment = {
        "data": {
            "source": {"kind": "parquet", "train": "rows/train.parquet", "test": "rows/test.parquet"},
            "text": {"column": "text", "vocabulary": 128, "length": 12},
            "label": "label",
        },
        "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
        "train": {"steps": 3, "batch": 16},
        "compress": {"max_loss_points": 100},
    }
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(experiment))
    assert verb("run", "x.yaml", "--out", "run") == 0
    return tmp_path


def test_a_file_that_changed_is_named(home, capsys):
    before = (home / "run/metrics.json").read_text()
    write(home / "rows/test.parquet", 40, turn=8)
    assert verb("compress", "run") == 2
    assert "data.source: test: test.parquet has changed since run was made; restore it" in capsys.readouterr().err
    assert (home / "run/metrics.json").read_text() == before
    write(home / "rows/test.parquet", 40, turn=7)
    assert verb("compress", "run") == 0
    assert (home / "run/metrics.json").read_text() == before


def test_a_resumed_run_is_refused_other_rows(home, capsys):
    write(home / "rows/train.parquet", 82)
    assert verb("run", "x.yaml", "--out", "run", "--resume") == 2
    assert "train: train.parquet has changed since run was made" in capsys.readouterr().err


def test_relative_paths_are_those_of_where_the_record_was_made(home, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "rows").mkdir()
    write(elsewhere / "rows/train.parquet", 60)
    write(elsewhere / "rows/test.parquet", 20)
    monkeypatch.chdir(elsewhere)
    before = json.loads((home / "run/metrics.json").read_text())
    assert verb("compress", str(home / "run")) == 0
    assert json.loads((home / "run/metrics.json").read_text()) == before
    shutil.move(home / "run", elsewhere / "run")
    shutil.move(home / "rows", elsewhere / "moved")
    monkeypatch.chdir(home)
    assert verb("compress", str(elsewhere / "run")) == 2  # of other rows than those that stand there now


def test_a_record_that_was_copied_away_from_its_rows_says_how_to_find_them(home, tmp_path_factory, monkeypatch, capsys):
    alone = tmp_path_factory.mktemp("alone")
    shutil.copytree(home / "run", alone / "run")
    monkeypatch.chdir(alone)
    assert verb("compress", "run") == 2
    said = capsys.readouterr().err
    assert "'rows/train.parquet' does not exist" in said and "call from the folder in which it was made" in said
    monkeypatch.chdir(home)
    assert verb("compress", str(alone / "run")) == 0


def test_a_record_that_moved_with_its_rows_is_found(home, tmp_path_factory):
    moved = tmp_path_factory.mktemp("new") / "home"
    shutil.copytree(home, moved, symlinks=True)
    shutil.rmtree(home / "rows")
    assert verb("compress", str(moved / "run")) == 0


def test_rows_are_read_through_what_the_record_has_learnt(home, monkeypatch):
    """Also by a version that would learn another tokeniser, and with the cache gone."""
    record = Record.open(home / "run")
    schema, before = record.read_json("schema.json"), (home / "run/metrics.json").read_text()
    assert schema["target"]["classes"] == ["bad", "good"]
    shutil.rmtree(home / ".cache")
    learns = lambda *_: pytest.fail("the schema was learnt anew")  # noqa: E731
    monkeypatch.setattr(sys.modules["dsray.data.prepare"], "fit_schema", learns)
    assert verb("compress", "run") == 0
    assert (home / "run/metrics.json").read_text() == before


def test_a_schema_of_its_own_makes_rows_of_its_own(home):
    config = DataConfig.model_validate(yaml.safe_load((home / "x.yaml").read_text())["data"])
    learnt = prepare(config, home / "cache")
    assert prepare(config, home / "cache", schema=learnt.schema).fingerprint == learnt.fingerprint
    turned = learnt.schema.replace(target=learnt.schema.target.replace(classes=("good", "bad")))
    other = prepare(config, home / "cache", schema=turned)
    assert other.fingerprint != learnt.fingerprint
    assert (other.columns["target"] == 1 - learnt.columns["target"]).all()


def test_compression_by_other_settings_is_no_figure_of_the_run(home, capsys):
    before = (home / "run/metrics.json").read_text()
    record = Record.open(home / "run")
    assert verb("compress", "run", "compress.calibration_rows=16") == 0
    assert "metrics.json keeps those of the experiment's settings" in " ".join(capsys.readouterr().out.split())
    assert (home / "run/metrics.json").read_text() == before
    made = record.read_json("compressed/report.json")
    assert made["settings"]["calibration_rows"] == 16
    assert int8_figures(record)["int8_accuracy"] == made["accuracy_int8"]
    assert "compressed again by calibration_rows 16" in (home / "run/report.html").read_text()
    assert verb("compress", "run") == 0
    assert (home / "run/metrics.json").read_text() == before
    assert "compressed again" not in (home / "run/report.html").read_text()


def test_a_record_that_noted_nothing_of_its_rows_is_left_to_its_version(home, capsys):
    record = Record.open(home / "run")
    noted = {k: v for k, v in record.manifest["data"].items() if k != "contents"}
    record.write_json("manifest.json", {**record.manifest, "dsray": "0.1.0", "data": noted})
    assert verb("compress", "run") == 2
    assert "was made by dsray 0.1.0, which did not note what its rows hold; use that version" in capsys.readouterr().err


def test_files_of_a_foreign_record_that_hold_something_else_are_one_sentence(home, capsys):
    """Without digests, as a record of an earlier version: what is valid JSON and not what belongs there."""
    (home / "run/sums.json").unlink()
    manifest = json.loads((home / "run/manifest.json").read_text())
    schema = json.loads((home / "run/schema.json").read_text())
    text = schema["inputs"]["text"]
    for name, content, said in (
        ("manifest.json", manifest | {"data": "rows"}, "does not say what its rows hold"),
        ("manifest.json", manifest | {"data": manifest["data"] | {"contents": "x"}}, "does not say what its rows hold"),
        ("manifest.json", manifest | {"data": manifest["data"] | {"directory": 5}}, "does not say what its rows hold"),
        (
            "schema.json",
            schema | {"target": schema["target"] | {"column": "other"}},
            "was not learnt for the record's experiment",
        ),
        (
            "schema.json",
            schema | {"inputs": {"text": text | {"column": "other"}}},
            "was not learnt for the record's experiment",
        ),
        (
            "schema.json",
            schema | {"inputs": {"text": text | {"tokenizer": "x"}}},
            "was not learnt for the record's experiment",
        ),
        (
            "schema.json",
            schema | {"inputs": {"text": text | {"vocabulary": 9}}},
            "was not learnt for the record's experiment",
        ),
        ("schema.json", schema | {"inputs": {"text": text | {"length": 5}}}, "was trained on rows of another schema"),
        (
            "schema.json",
            schema | {"target": schema["target"] | {"classes": ["good", "bad"]}},
            "was trained on rows of another schema",
        ),
    ):
        before = (home / "run" / name).read_text()
        (home / "run" / name).write_text(json.dumps(content))
        assert verb("compress", "run") == 2, (name, said)
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1, err
        (home / "run" / name).write_text(before)
    assert verb("compress", "run") == 0
