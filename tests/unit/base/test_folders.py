"""Folders and files change in one step, and what dead writers left is told from what is being written."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import dsray.base.folders
from dsray.base.aside import ABANDONED_S, aside_of, clear_leftovers, replacing_file
from dsray.base.folders import can_exchange, exchange, put_back, replace_folder, replacing_folder


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "content").write_text(content)
    return path


def age(path: Path, seconds: float = 2 * ABANDONED_S) -> None:
    then = time.time() - seconds
    for inside in (*path.rglob("*"), path):
        os.utime(inside, (then, then), follow_symlinks=False)


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir())


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(dsray.base.folders, "exchange", lambda *_: False)
    return request.param


def test_a_folder_is_replaced_and_nothing_is_left(tmp_path, way):
    for content in ("first", "second"):
        with replacing_folder(tmp_path / "final") as new:
            (new / "content").write_text(content)
        assert (tmp_path / "final" / "content").read_text() == content
        assert names(tmp_path) == ["final"]


def test_a_write_that_fails_leaves_the_folder_as_it_was(tmp_path, way):
    folder(tmp_path / "final", "first")
    with pytest.raises(UnicodeEncodeError), replacing_folder(tmp_path / "final") as new:
        (new / "content").write_text("half \ud800", encoding="utf-8")
    assert (tmp_path / "final" / "content").read_text() == "first"
    assert names(tmp_path) == ["final"]


def test_there_is_never_a_moment_without_a_folder(tmp_path):
    assert can_exchange(tmp_path)
    final = folder(tmp_path / "final", "0")
    stop, missed, seen = threading.Event(), [], [0]

    def look():
        while not stop.is_set():
            seen[0] += 1
            if not os.path.exists(final / "content"):
                missed.append(seen[0])

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(300):
        replace_folder(folder(tmp_path / f"new{i}", str(i)), final)
    stop.set()
    reader.join()
    assert seen[0] > 300 and missed == []
    assert (final / "content").read_text() == "299"


def test_doctor_says_how_folders_are_replaced(tmp_path, monkeypatch):
    from dsray.verbs.doctor import _folders

    monkeypatch.chdir(tmp_path)
    assert _folders() == "replaced in one step"
    monkeypatch.setattr(dsray.base.folders, "exchange", lambda *_: False)
    assert _folders().startswith(f"replaced in two renames in {tmp_path}: for a moment there is none")
    assert names(tmp_path) == []


def test_an_exchange_needs_both(tmp_path):
    with pytest.raises(FileNotFoundError):
        exchange(folder(tmp_path / "one", ""), tmp_path / "other")
    assert names(tmp_path) == ["one"]


def test_a_kill_between_two_renames_is_put_back(tmp_path):
    old = folder(aside_of(tmp_path / "final", "old"), "before")
    age(old)
    clear_leftovers(tmp_path)  # the only one there is: no leftover
    put_back(tmp_path / "final")
    assert (tmp_path / "final" / "content").read_text() == "before"
    assert names(tmp_path) == ["final"]


def test_what_made_room_is_removed_once_there_is_a_new_one(tmp_path):
    folder(tmp_path / "final", "after")
    old = folder(aside_of(tmp_path / "final", "old"), "before")
    age(old)
    put_back(tmp_path / "final")
    clear_leftovers(tmp_path)
    assert names(tmp_path) == ["final"]
    assert (tmp_path / "final" / "content").read_text() == "after"


def test_a_reader_that_puts_back_between_two_renames_does_not_stop_the_writer(tmp_path, monkeypatch):
    """The reader gives the old folder its name back at the worst moment."""
    monkeypatch.setattr(dsray.base.folders, "exchange", lambda *_: False)
    final, new = folder(tmp_path / "final", "before"), folder(tmp_path / "new", "after")
    rename, calls = Path.rename, []

    def disturbed(self, target):
        done = rename(self, target)
        if self == final and not calls:
            calls.append(target)
            put_back(final)
            assert (final / "content").read_text() == "before"
        return done

    monkeypatch.setattr(Path, "rename", disturbed)
    replace_folder(new, final)
    assert (final / "content").read_text() == "after"
    assert names(tmp_path) == ["final"] and calls


CHILD = """
import sys, time
from pathlib import Path
from dsray.base.folders import replacing_folder
with replacing_folder(Path(sys.argv[1])) as new:
    (new / "content").write_text("half")
    print(new.name, flush=True)
    time.sleep(600)
"""


def test_only_what_dead_writers_left_is_removed(tmp_path):
    """Killed writers leave what they wrote; another cannot be mistaken for one, whatever its process id or host."""
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, tmp_path / "final"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        left, living = [child.stdout.readline().strip() for child in children]
        children[0].kill()
        children[0].wait()
        clear_leftovers(tmp_path)
        assert names(tmp_path) == sorted([left, living])  # too new to be sure
        (tmp_path / ".hidden.tmp").mkdir()
        for path in tmp_path.iterdir():
            age(path)
        clear_leftovers(tmp_path)
        assert names(tmp_path) == sorted([living, ".hidden.tmp"])
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_temporary_names_say_the_host_and_never_meet(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "box 7/é")
    found = {aside_of(tmp_path / ("x" * 255)) for _ in range(100)}
    assert len(found) == 100
    assert all(".box-7-" in path.name and len(os.fsencode(path.name)) <= 255 for path in found)
    for path in list(found)[:3]:
        path.touch()
        age(path)
    clear_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    final = tmp_path / "file"
    final.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing_file(final) as aside:
        aside.write_text("half \ud800", encoding="utf-8")
    assert (final.read_text(), names(tmp_path)) == ("old", ["file"])
    with replacing_file(final) as aside:
        aside.write_text("new")
        assert final.read_text() == "old"
    assert (final.read_text(), names(tmp_path)) == ("new", ["file"])
    assert final.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
