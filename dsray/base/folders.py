"""Folders that change in one step, so that a kill at any moment leaves an old or a new one and nothing in between."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsray.base.aside import aside_of, flush, lock, naming, remove, set_aside

_AT_FDCWD, _EXCHANGE = -100, 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def replacing_folder(final: Path) -> Iterator[Path]:
    """A new empty folder to write to. At the end of the block it is flushed and takes the name `final`.

    An older folder there is replaced in one step; a block that raises leaves it as it was.
    """
    aside = aside_of(final)
    with naming(aside, final):
        aside.mkdir(parents=True)
    handle = os.open(aside, os.O_RDONLY)
    try:
        lock(handle)
        with naming(aside, final):
            yield aside
            for path in (*aside.rglob("*"), aside):
                flush(path)
            replace_folder(aside, final)
        flush(final.parent)
    finally:
        remove(aside)
        os.close(handle)


def replace_folder(new: Path, final: Path) -> None:
    """Give the finished folder `new` the name `final`; an older one there is removed.

    The two are exchanged (renameat2), so that at every moment `final` is one of them. Where the system or the file system
    cannot do that, the old one is renamed first: for a moment there is none, and after a kill in that moment `put_back`
    finds it.
    """
    while True:
        try:
            if not exchange(new, final):
                _rename_twice(new, final)
            break
        except FileNotFoundError:
            if not new.exists():
                raise
        try:
            new.rename(final)
            return
        except OSError as error:
            if error.errno not in _TAKEN:
                raise  # else another process was quicker, and there is something to exchange now
    remove(new)


def put_back(final: Path) -> None:
    """Where there is no `final`, because a kill came between two renames, give it the folder that stood there before."""
    if final.exists():
        return
    for old in set_aside(final)[:1]:
        with suppress(OSError):  # whoever was quicker, a reader or the writer itself, has given it a folder
            old.rename(final)


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where that is not possible here.

    Both must exist (FileNotFoundError).
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def can_exchange(folder: Path) -> bool:
    """Whether folders in `folder` are replaced in one step."""
    with tempfile.TemporaryDirectory(prefix=".dsray-", dir=folder) as scratch:
        one, other = Path(scratch, "one"), Path(scratch, "other")
        one.mkdir()
        other.mkdir()
        return exchange(one, other)


def _rename_twice(new: Path, final: Path) -> None:
    """The old folder away, the new one in its place; again where somebody put a folder there in between."""
    while True:
        old = aside_of(final, "old")
        final.rename(old)
        try:
            new.rename(final)
            remove(old)
            return
        except OSError as error:
            if error.errno in _TAKEN:
                remove(old)
                continue
            with suppress(OSError):
                old.rename(final)
            raise
