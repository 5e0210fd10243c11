"""Rows with something missing, cut or unknown are told by check, by a run, in its manifest and in its report."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dsray.cli import main


def write(tmp_path):
    good = {"text": ["high", "low"] * 20, "label": ["a", "b"] * 20}
    pq.write_table(pa.table(good), tmp_path / "train.parquet")
    flawed = {"text": ["high " * 30, None, "zzz", "low"] * 5, "label": ["a", "b", "c", "b"] * 5}
    pq.write_table(pa.table(flawed), tmp_path / "test.parquet")
    source = {"kind": "parquet", **{split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}}
    experiment = {
        "data": {"source": source, "text": {"column": "text", "vocabulary": 32, "length": 16}, "label": "label"},
        "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
        "train": {"steps": 2, "batch": 8},
    }
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(experiment))
    return str(tmp_path / "x.yaml")


def said_by(capsys, *words: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_check_shows_every_count_of_every_split(tmp_path, capsys):
    said = said_by(capsys, "check", write(tmp_path))
    assert "input what train validation test" in said
    for line in ("text missing 0 0 5 (25.0 %)", "text cut 0 0 5 (25.0 %)", "text unknown 0 0 5 (25.0 %)"):
        assert line in said
    assert "label missing 0 0 0" in said and "label unknown 0 0 5 (25.0 %)" in said


def test_a_run_tells_what_is_not_zero_and_keeps_it(tmp_path, capsys):
    said = said_by(capsys, "run", write(tmp_path), "--local", "--out", str(tmp_path / "run"))
    shown = [line for line in said if line.startswith(("text ", "label ", "image "))]
    assert shown == [
        "text missing: 5 of 20 test rows (25.0 %)",
        "text cut: 5 of 20 test rows (25.0 %)",
        "text unknown: 5 of 20 test rows (25.0 %)",
        "label unknown: 5 of 20 test rows (25.0 %)",
    ]
    kept = json.loads((tmp_path / "run" / "manifest.json").read_text())["data"]
    assert kept["counts"]["test"]["text"] == {"missing": 5, "cut": 5, "unknown": 5}
    assert kept["counts"]["train"] == {
        "text": {"missing": 0, "cut": 0, "unknown": 0},
        "label": {"missing": 0, "unknown": 0},
    }
    report = (tmp_path / "run" / "report.html").read_text()
    assert "text cut" in report and "5 (25.0 %)" in report
