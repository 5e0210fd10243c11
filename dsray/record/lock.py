"""One writer for a folder: a lock that the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

from dsray.base import RequestError

NAME = ".lock"
PATIENCE_S = 0.5
"""A reader that asks `is_held` has the lock for a moment itself."""
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN)
_held: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """An exclusive `flock` of a file in `folder`, which names its holder: host and process id.

    name: `.lock` for the whole record. patience_s: how long to wait for a holder that is about to end. certain: False
    where the file system knows no such locks; a second writer would then go unnoticed. Raises RequestError when another
    process, or another `Lock` of this one, holds it.
    """

    def __init__(self, folder: Path, name: str = NAME, patience_s: float = PATIENCE_S):
        self.path = folder / name
        self.certain = True
        self._file = self._taken(patience_s)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
        _held.add(self)

    def release(self) -> None:
        """Free the lock and remove its file, which whoever takes the lock next makes anew."""
        if self._file >= 0:
            with suppress(FileNotFoundError):  # the folder may have been removed with it
                self.path.unlink()
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        file, self._file = getattr(self, "_file", -1), -1
        if file >= 0:
            os.close(file)

    def _taken(self, patience_s: float) -> int:
        deadline = time.monotonic() + patience_s
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(file, self.path):
                    return file
            except OSError as error:
                if error.errno not in _HELD:
                    self.certain = False
                    return file
                if time.monotonic() > deadline:
                    os.close(file)
                    raise RequestError(_refusal(self.path)) from None
            os.close(file)
            time.sleep(0.02)


def is_held(folder: Path, name: str = NAME) -> bool | None:
    """Whether a living process writes in `folder`; None where that cannot be told.

    It cannot where a process of another machine was the last: not every shared file system shows its locks here.
    """
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if _host(os.pread(file, 4096, 0)) not in (None, socket.gethostname()):
            return None
    except OSError as error:
        return True if error.errno in _HELD else None
    finally:
        os.close(file)
    return False


def _host(content: bytes) -> str | None:
    """The machine that a lock file names; None for one that names none."""
    try:
        return str(json.loads(content)["host"])
    except (ValueError, KeyError, TypeError):
        return None


class Holder:
    """Whether the process that was seen to write in `folder` is gone.

    Where its lock cannot be seen (another machine, and a file system whose locks end at each), nobody is ever gone.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._seen = False
        self.is_gone()

    def is_gone(self) -> bool:
        """True once the lock that was held is free."""
        held = is_held(self.folder)
        self._seen = self._seen or held is True
        return self._seen and held is False


def _same(file: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`, which its last holder may have removed meanwhile."""
    try:
        here, there = os.fstat(file), path.stat()
    except FileNotFoundError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _refusal(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        who = f"process {int(holder['pid'])} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return f"record: {path.parent} is being written by {who}; wait until it has ended, or end it, and try again"


def _leave_to_the_parent() -> None:
    """A forked child shares the open file: it would keep the lock after the death of the process that took it."""
    for lock in [*_held]:
        lock._close()


os.register_at_fork(after_in_child=_leave_to_the_parent)
