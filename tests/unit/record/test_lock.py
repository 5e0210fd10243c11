"""One process at a time writes a record, and a reader knows whether one does."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dsray.base import RequestError
from dsray.record.lock import Holder, Lock, is_held
from dsray.record.record import Record

HOLD = """
import subprocess, sys
from pathlib import Path
from dsray.record.record import Record
record = Record.open(Path(sys.argv[1]))
record.hold()
child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def record(tmp_path: Path) -> Record:
    made = Record.create_at(tmp_path / "run", "name: x\n", {})
    made.release()
    return made


@pytest.fixture
def holder(record: Record):
    """Another process that holds the record and has started one of its own."""
    job = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(record.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout and job.stdin
    child = int(job.stdout.readline())
    yield job
    job.kill()
    job.communicate()
    os.kill(child, signal.SIGKILL)


def test_the_second_writer_is_told_who_the_first_is(record, holder):
    with pytest.raises(RequestError) as refused:
        record.hold()
    who = f"process {holder.pid} on {socket.gethostname()}"
    assert str(refused.value) == (
        f"record: {record.path} is being written by {who}; wait until it has ended, or end it, and try again"
    )
    assert record.status["state"] == "running"


def test_a_killed_writer_leaves_an_interrupted_record_that_is_free(record, holder):
    """The processes that it had started live on, and hold nothing."""
    holder.kill()
    holder.wait()
    assert is_held(record.path) is False
    assert Record.open(record.path).status == {"state": "interrupted", "steps": {}, "error": None}
    record.hold()
    assert record.status["state"] == "running"


def test_a_forked_child_does_not_keep_the_lock(record):
    record.hold()
    context = multiprocessing.get_context("fork")
    alive = context.Event()
    child = context.Process(target=_live_on, args=(alive,))
    child.start()
    try:
        assert alive.wait(30)
        record._lock._close()  # as the death of this process would, without a word to the kernel
        assert is_held(record.path) is False
    finally:
        child.kill()
        child.join()


def _live_on(alive) -> None:
    alive.set()
    signal.pause()


def test_a_record_that_ended_keeps_its_state_and_no_lock(record):
    for end, state in (
        (record.finish, "done"),
        (lambda: record.fail("lost"), "failed"),
        (record.interrupt, "interrupted"),
    ):
        record.hold()
        record.resume()
        assert record.status["state"] == "running"
        end()
        record.release()
        assert Record.open(record.path).status["state"] == state
    assert [path for path in record.path.iterdir() if path.name.startswith(".lock")] == []


def test_a_step_noted_by_who_holds_nothing_does_not_end_the_run(record):
    record.set_step("train", "done")
    assert json.loads((record.path / "status.json").read_text())["state"] == "running"


def _try(path: Path, start, ended) -> str:
    start.wait()
    try:
        record = Record.create_at(path, f"name: of-{os.getpid()}\n", {})
    except RequestError as error:
        return str(error)
    ended.wait()  # held until all have tried
    return record.path.name


def _answer(path: Path, start, ended, found) -> None:
    found.put(_try(path, start, ended))


def test_of_several_that_choose_one_folder_at_once_one_gets_it(tmp_path):
    context = multiprocessing.get_context("fork")
    for turn in range(5):
        start, ended, found = context.Barrier(4), context.Event(), context.Queue()
        where = tmp_path / f"run-{turn}"
        where.mkdir()
        jobs = [context.Process(target=_answer, args=(where, start, ended, found)) for _ in range(4)]
        for job in jobs:
            job.start()
        lost = [found.get(timeout=30) for _ in range(3)]
        ended.set()
        won = found.get(timeout=30)
        for job in jobs:
            job.join()
        assert won == where.name
        assert all("is not empty" in words or "is being written by" in words for words in lost), lost
        assert (where / "experiment.yaml").read_text().startswith("name: of-")


def test_readers_that_look_do_not_turn_a_writer_away(record):
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=_look, args=(record.path,)) for _ in range(2)]
    for job in jobs:
        job.start()
    try:
        for _ in range(100):
            record.hold()
            record.release()
    finally:
        for job in jobs:
            job.kill()
            job.join()


def _look(path: Path) -> None:
    while True:
        is_held(path)


def test_a_file_system_without_locks_promises_nothing_and_fails_nothing(record, monkeypatch):
    def none(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)  # no such file system can be mounted here
    record.hold()
    assert not record.certain
    assert is_held(record.path) is None
    assert Record.open(record.path).status["state"] == "running"
    other = Lock(record.path)
    assert not other.certain


def test_only_a_holder_that_was_seen_can_be_gone(record):
    """A file system whose locks end at each machine shows a worker elsewhere nobody from the beginning."""
    unseen = Holder(record.path)
    assert not unseen.is_gone()
    record.hold()
    seen = Holder(record.path)
    assert not seen.is_gone()
    record.release()
    assert seen.is_gone()
    assert not unseen.is_gone()


def test_of_a_process_of_another_machine_nothing_is_known(record):
    """Its lock may not be seen here, so the record is not called interrupted."""
    record.resume()
    (record.path / ".lock").write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    assert is_held(record.path) is None and record.status["state"] == "running"
    (record.path / ".lock").write_text(json.dumps({"host": socket.gethostname(), "pid": 1}))
    assert is_held(record.path) is False and record.status["state"] == "interrupted"
