"""A record is numbered, written in whole files, and refuses what is not one."""

from __future__ import annotations

import json
import math
import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pytest

from dsray.base import RequestError
from dsray.report.record import Record


def make(root: Path, name: str = "quickstart") -> Record:
    return Record.create(root, name, "name: quickstart\n", {"name": name, "seed": 0})


def test_second_run_of_a_name_is_numbered_and_latest_follows(tmp_path: Path) -> None:
    names = [make(tmp_path).name for _ in range(3)]
    assert names == ["quickstart", "quickstart-2", "quickstart-3"]
    assert (tmp_path / "latest").resolve().name == "quickstart-3"
    other = make(tmp_path, "other")
    assert Record.open(tmp_path / "latest").path == other.path
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def _make_one(root: Path, _: int) -> str:
    return make(root).name


def test_runs_that_start_together_get_a_folder_each(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        names = pool.starmap(_make_one, [(tmp_path, i) for i in range(12)])
    assert sorted(names) == sorted(["quickstart", *(f"quickstart-{i}" for i in range(2, 13))])


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "latest"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="name:"):
        make(tmp_path, name)


def test_given_folder_may_be_absent_or_empty_but_not_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent/deep"):
        record = Record.create_at(tmp_path / name, "name: x\n", {})
        assert record.experiment_text == "name: x\n"
    with pytest.raises(RequestError, match=r"out: .*empty is not empty; give a new folder or --resume"):
        Record.create_at(tmp_path / "empty", "name: x\n", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="out: cannot make the folder"):
        Record.create_at(tmp_path / "file", "name: x\n", {})


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(RequestError, match="does not exist; did you mean 'quickstart'"):
        Record.open(tmp_path / "quickstrat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"not a run folder \(experiment.yaml and manifest.json missing\)"):
        Record.open(tmp_path / "empty")
    (tmp_path / "quickstart" / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(RequestError, match="format 2"):
        Record.open(tmp_path / "quickstart")
    (tmp_path / "quickstart" / "manifest.json").write_text('{"format": ')
    with pytest.raises(RequestError, match="not valid JSON"):
        Record.open(tmp_path / "quickstart")


def test_equal_figures_give_equal_bytes_whatever_their_type_and_order(tmp_path: Path) -> None:
    third = 1 / 3
    a, b = make(tmp_path), make(tmp_path)
    a.update_metrics({"z": third, "a": 3})
    b.update_metrics({"a": np.int64(3)})
    b.update_metrics({"z": np.float64(third)})
    assert (a.path / "metrics.json").read_bytes() == (b.path / "metrics.json").read_bytes()
    assert a.metrics["z"] == third
    a.update_metrics({"bad": math.nan, "worse": -math.inf})
    assert json.loads((a.path / "metrics.json").read_text())["bad"] is None


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.update_metrics({"test_accuracy": 0.5})
    with pytest.raises(TypeError):
        record.write_json("metrics.json", {"x": object()})
    with pytest.raises(UnicodeEncodeError):
        record.write_text("metrics.json", "half \ud800 written")
    assert record.metrics == {"test_accuracy": 0.5}
    assert not list(record.path.glob(".metrics*"))


def test_status_follows_the_run(tmp_path: Path) -> None:
    record = make(tmp_path)
    assert record.status == {"state": "running", "steps": {}, "error": None}
    record.set_step("data", "done")
    record.fail(RuntimeError("worker\n  lost"))
    assert record.status == {"state": "failed", "steps": {"data": "done"}, "error": "worker lost"}
    record.resume()
    record.finish()
    assert record.status == {"state": "done", "steps": {"data": "done"}, "error": None}


def test_history_without_the_torn_line(tmp_path: Path) -> None:
    record = make(tmp_path)
    assert record.history() == []
    (record.path / "history.jsonl").write_text('{"kind": "step", "step": 1}\n{"kind": "step", "st')
    assert record.history() == [{"kind": "step", "step": 1}]


def test_history_of_a_resumed_run_counts_each_step_once(tmp_path: Path) -> None:
    record = make(tmp_path)
    first = [{"kind": "step", "step": s, "loss": 1.0} for s in (10, 20, 30, 40)]
    first.insert(2, {"kind": "validation", "step": 20, "accuracy": 0.5})
    again = [{"kind": "step", "step": s, "loss": 2.0} for s in (30, 40, 50)]
    torn = '{"kind": "step", "st\n'
    (record.path / "history.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in first) + torn + "".join(json.dumps(line) + "\n" for line in again)
    )
    steps = [(line["step"], line["loss"]) for line in record.history() if line["kind"] == "step"]
    assert steps == [(10, 1.0), (20, 1.0), (30, 2.0), (40, 2.0), (50, 2.0)]
    assert sum(line["kind"] == "validation" for line in record.history()) == 1


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    record = make(tmp_path)
    content = {f"figure_{i}": i / 7 for i in range(3000)}
    record.write_json("metrics.json", content)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            record.write_json("metrics.json", content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [(record.path / "metrics.json").read_text() for _ in range(300)]
    finally:
        stop.set()
        writer.join()
    assert all(json.loads(text) == content for text in set(seen))


@pytest.mark.parametrize(
    ("text", "words"), [("", "holds no mapping"), ("- 1", "holds no mapping"), ("a: [", "not valid")]
)
def test_a_damaged_experiment_is_named(tmp_path: Path, text: str, words: str) -> None:
    record = Record.create(tmp_path, "x", text, {})
    with pytest.raises(RequestError, match=rf"record: .*experiment.yaml .*{words}"):
        _ = record.experiment


def test_latest_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(RequestError, match=r"latest is no link to the newest run; move it away"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
