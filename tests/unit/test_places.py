"""Records of jobs lie outside the job's package folder, whatever the command line says."""

from __future__ import annotations

import pytest

from jobs.places import with_record_outside

FILE = "jobs/experiments/quickstart.yaml"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DSRAY_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_the_name_is_the_files_and_gets_a_number_where_it_is_taken(root, capsys):
    assert with_record_outside([FILE, "seed=1"]) == [FILE, "seed=1", "--out", str(root / "quickstart")]
    assert capsys.readouterr().out == f"record: {root / 'quickstart'}\n"
    for taken in ("quickstart", "quickstart-2"):
        (root / taken).mkdir()
    assert with_record_outside([FILE])[-1] == str(root / "quickstart-3")
    assert with_record_outside([FILE, "--resume"]) == [FILE, "--resume", "--out", str(root / "quickstart-2")]


@pytest.mark.parametrize("words", [["--out", "mine"], ["--out=mine"]])
def test_a_relative_folder_is_one_of_the_records(root, words):
    assert with_record_outside([*words, FILE]) == [FILE, "--out", str(root / "mine")]


def test_an_absolute_folder_is_kept(root, tmp_path):
    assert with_record_outside([FILE, "--out", str(tmp_path / "x")])[-1] == str(tmp_path / "x")


def test_without_dsray_runs_the_home_folder_holds_them(monkeypatch, tmp_path):
    monkeypatch.delenv("DSRAY_RUNS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert with_record_outside([FILE])[-1] == str(tmp_path / "dsray-runs" / "quickstart")
