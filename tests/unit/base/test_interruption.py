"""A process that is ended by a signal, or that is not the only one: what is said, and what the record says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

import dsray as package
from dsray.base import RequestError
from dsray.record import Record
from dsray.report.html import write_report
from dsray.runner.writer import resume_command, running

SMALL = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 12, "batch": 32, "log_every": 1, "checkpoint_every": 4, "validate_every": 6},
    "compress": {"max_loss_points": 100, "max_adversarial_loss_points": 100},
}
ENDLESS = ["train.steps=100000", "compress=null"]


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("interruption")
    (folder / "x.yaml").write_text(yaml.safe_dump(SMALL))
    return package.run(folder / "x.yaml", out=folder / "run", local=True).path


@pytest.fixture
def done(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def dsray(*words) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dsray", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def ended(job: subprocess.Popen) -> tuple[str, int]:
    _, said = job.communicate(timeout=120)
    return said, job.returncode


def wait_for(path: Path, word: str, job: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while not (path.exists() and word in path.read_text()):
        assert job.poll() is None and time.monotonic() < deadline, f"{word} did not appear in {path}"
        time.sleep(0.02)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_a_local_run_as_interrupted_and_says_how_to_go_on(file, sent):
    out = file.parent / "run"
    job = dsray("run", file, *ENDLESS, "--local", "--out", out)
    wait_for(out / "history.jsonl", '"kind": "checkpoint"', job)
    assert Record.open(out).status["state"] == "running"
    job.send_signal(sent)
    said, code = ended(job)
    assert code == 130
    last = said.strip().splitlines()[-1]
    assert last.startswith("interrupted; go on with: ") and last.endswith(f"--out {out} --resume")
    assert said.count("\n") == 1
    status = json.loads((out / "status.json").read_text())
    assert status == {"state": "interrupted", "steps": {"train": "interrupted"}, "error": None}


@pytest.mark.parametrize("verb", ["attack", "compress"])
def test_a_signal_ends_a_verb_as_ctrl_c_does_and_the_record_stays_done(done, verb):
    words = ["judge.rows=1000"] if verb == "attack" else ["compress.calibration_rows=500"]
    before = (done / "metrics.json").read_text()
    job = dsray(verb, done, *words, "--local")
    wait_for(done / ".lock", "pid", job)
    job.send_signal(signal.SIGTERM)
    said, code = ended(job)
    assert code == 130, said
    assert said.strip().splitlines()[-1].endswith(f"{verb} {done} {words[0]} --local")
    assert Record.open(done).status["state"] == "done"
    assert (done / "metrics.json").read_text() == before


def test_while_one_process_writes_a_record_no_other_does(file):
    out = file.parent / "run"
    job = dsray("run", file, *ENDLESS, "--local", "--out", out)
    try:
        wait_for(out / "history.jsonl", '"kind": "checkpoint"', job)
        for words in (("run", file, *ENDLESS, "--local", "--resume", "--out", out), ("attack", out, "--local")):
            said, code = ended(dsray(*words))
            assert code == 2
            assert f"is being written by process {job.pid} on " in said
    finally:
        job.kill()
        ended(job)
    record = Record.open(out)
    assert record.status["state"] == "interrupted"
    page = write_report(record).read_text()
    assert ">interrupted<" in page and "The run was interrupted" in page


@pytest.mark.parametrize("error", [SystemExit(3), MemoryError(), GeneratorExit(), RuntimeError("x")], ids=repr)
def test_no_exception_leaves_a_record_running(tmp_path, error):
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    with pytest.raises(type(error)), running(record, [], Console(quiet=True), begun=lambda: False):
        raise error
    assert Record.open(record.path).status["state"] == "failed"
    record.hold()  # and nobody has it any more
    record.release()


def test_a_wrong_request_keeps_what_was_begun(tmp_path):
    for begun in (False, True):
        record = Record.create_at(tmp_path / f"run-{begun}", "name: x\n", {})
        with pytest.raises(RequestError), running(record, [], Console(quiet=True), begun=lambda: begun):  # noqa: B023
            raise RequestError("data: is wrong")
        assert record.path.exists() == begun


def _fail_after_a_step(record: Record) -> None:
    record.set_step("evaluate", "failed")
    raise RequestError("data.source: is wrong")


@pytest.mark.parametrize("state", ["done", "failed", "interrupted"])
def test_a_wrong_request_leaves_a_record_that_stood_before_as_it_was(tmp_path, state):
    """Resumed with rows that have changed, a finished run is still finished."""
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    record.set_step("train", "done")
    {"done": record.finish, "failed": lambda: record.fail("lost"), "interrupted": record.interrupt}[state]()
    before = record.status
    assert before["state"] == state
    with pytest.raises(RequestError), running(record, [], Console(quiet=True)):
        raise RequestError("data.source: train: a.parquet has changed")
    assert record.status == before
    with pytest.raises(RequestError), running(record, [], Console(quiet=True)):
        _fail_after_a_step(record)
    assert record.status["state"] == "failed"


@pytest.mark.parametrize("out", [["--out", "a"], ["--out=a"], []])
def test_the_line_that_goes_on_names_the_record_once(out):
    words = resume_command(Path("runs/x 2"), ["dsray", "run", "x.yaml", *out, "seed=1", "--resume"])
    assert words == ["dsray", "run", "x.yaml", "seed=1", "--out", "runs/x 2", "--resume"]
