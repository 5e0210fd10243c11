"""Files and folders are written under a temporary name and get their own when they are whole and on the disk.

A temporary name is `.NAME.HOST-RANDOM.tmp`. The process that writes there holds a lock (flock) on it, which the kernel
frees when the process ends in whatever way: so a later writer can tell what a dead one left from what is being written
now, also across containers in which process ids and host names are the same.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsray.base.disk import refusal

ABANDONED_S = 600
"""Seconds without a change after which what nobody holds a lock on is taken for left over."""
UNLOCKABLE_S = 86_400
"""The same, where the file system has no locks and a living owner cannot be told from a dead one."""

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[\w-]+-[0-9a-f]{12}\.(?P<kind>tmp|old)")


def aside_of(final: Path, kind: str = "tmp") -> Path:
    """A new name beside `final`; kind: `tmp` for what is being written, `old` for what makes room."""
    host = re.sub(r"[^\w-]+", "-", socket.gethostname(), flags=re.ASCII)[:32]
    return final.with_name(f".{_short(final.name)}.{host}-{secrets.token_hex(6)}.{kind}")


def set_aside(final: Path) -> list[Path]:
    """The folders that made room for `final` and were not removed, the newest first."""
    found = [p for p in _temporary(final.parent) if _matches(p, "old") == _short(final.name)]
    return sorted(found, key=_changed, reverse=True)


@contextmanager
def replacing_file(final: Path) -> Iterator[Path]:
    """A path to write to. What stands there at the end of the block is flushed and takes the name `final`.

    A block that raises leaves `final` as it was.
    """
    aside = aside_of(final)
    with naming(aside, final):
        handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        lock(handle)
        with naming(aside, final):
            yield aside
            os.fsync(handle)
            os.replace(aside, final)
        flush(final.parent)
    finally:
        aside.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def naming(aside: Path, final: Path) -> Iterator[None]:
    """An error of the system, in whatever words a library has for it, names the path that people know.

    aside: the temporary path that stands for `final` meanwhile, or `final` itself.
    """
    try:
        yield
    except Exception as error:  # of whichever library wrote; raised again unless it is the disk that refused
        found = error if isinstance(error, OSError) else refusal(error)
        if found is None:
            raise
        if found.filename is None and found.errno is not None:
            found.filename = str(final)
        elif isinstance(found.filename, str | Path):
            found.filename = str(found.filename).replace(str(aside), str(final))
        if found is error:
            raise
        raise found from error


def flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL or not path.is_dir():  # some file systems keep folders without being asked
            raise
    finally:
        os.close(handle)


def lock(handle: int) -> None:
    """Show that the owner lives. Where the file system has no locks, only the time of the last change tells."""
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_leftovers(folder: Path) -> None:
    """Remove what dead writers left in a folder that only this library writes to."""
    for path in _temporary(folder):
        kept = _matches(path, "old")  # the only one there is, where its final name is free: `put_back` needs it
        if (kept is None or (folder / kept).exists()) and _is_abandoned(path):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, as far as it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _is_abandoned(path: Path) -> bool:
    quiet_s = time.time() - _changed(path)
    if quiet_s < ABANDONED_S:
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return quiet_s > UNLOCKABLE_S
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return quiet_s > UNLOCKABLE_S
    finally:
        os.close(handle)


def _changed(path: Path) -> float:
    """When the path, or anything in it, was last written to; now where that cannot be told."""
    try:
        inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
        return max(p.lstat().st_mtime for p in (path, *inside))
    except OSError:
        return time.time()


def _temporary(folder: Path) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if _TEMPORARY.fullmatch(p.name)]
    except OSError:
        return []


def _matches(path: Path, kind: str) -> str | None:
    """The (shortened) final name of a temporary name of that kind."""
    found = _TEMPORARY.fullmatch(path.name)
    return found["name"] if found and found["kind"] == kind else None


def _short(name: str) -> str:
    """At most 150 bytes of a name, so that what is added to it still fits."""
    return name.encode(errors="surrogateescape")[:150].decode(errors="ignore")
