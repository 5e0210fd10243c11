"""The files of a record: written whole, and compared with what was written whenever they are read.

`sums.json` in the record holds their digests. Before a file changes, the new digest is put beside the one it has, so
that a kill between the two is no false alarm. Folders that are written at once (`model/`, `compressed/`) have their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsray.base import RequestError
from dsray.base.aside import clear_leftovers, replacing_file
from dsray.base.sums import SUMS, Damaged, digest_of, parse, seal, unseal

_OWN_LISTS = (SUMS, "manifest.json")
_writing = threading.Lock()


def write_file(root: Path, name: str, content: bytes) -> Path:
    """Write `root/name` in one step."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with _writing:
        clear_leftovers(path.parent)
        files = _listed(root / SUMS)
        found = digest_of(path) if path.is_file() else None
        before = [d for d in files.get(name, ()) if d == found] or files.get(name, [])
        new = digest_of(content)
        files[name] = [new, *(d for d in before if d != new)][:2]
        with replacing_file(root / SUMS) as aside:
            aside.write_bytes(seal({"files": files}))
        with replacing_file(path) as aside:
            aside.write_bytes(content)
    return path


def read_file(root: Path, name: str) -> bytes | None:
    """The content of `root/name`, None where there is none; a RequestError when it is not what was written.

    A file that an older version wrote has no digest and is read as it stands.
    """
    path, before = root / name, None
    while True:
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RequestError(f"record: cannot read {path} ({error.strerror})") from None
        digests = _digests(root, name)
        if digests is None or digest_of(content) in digests:
            return content
        if before == (content, digests):  # a writer may come between the two reads, but not twice without a trace
            raise RequestError(
                f"record: {path} is damaged: it is not what was written (its digest differs); restore it, or delete "
                f"{_list_of(root, name)} to read it as it stands"
            )
        before = content, digests


def read_json(root: Path, name: str) -> Any:
    """The content of a JSON file, None where there is none."""
    content = read_file(root, name)
    try:
        return None if content is None else parse(content)
    except ValueError as error:
        raise RequestError(f"record: {root / name} is not valid JSON ({error}); restore or delete it") from None


def read_text(root: Path, name: str) -> str:
    """The content of a text file that must be there."""
    content = read_file(root, name)
    if content is None:
        raise RequestError(f"record: {root / name} is missing; restore it")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"record: {root / name} is not UTF-8 (byte {error.start}); restore it") from None


@contextmanager
def made_from(root: Path | str, what: str) -> Iterator[None]:
    """Files that hold JSON, but not what they should, are one sentence; what: that is made of them."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:  # of foreign content
        raise RequestError(
            f"record: {what} cannot be made from the files of {root} ({type(error).__name__}: {error}); restore them, "
            "or repeat the step that wrote them"
        ) from error


def _digests(root: Path, name: str) -> list[str] | None:
    """The digests of contents that are right."""
    path = _list_of(root, name)
    if path is None:
        return None
    found = _listed(path).get((root / name).name if path.parent != root else name)
    return [found] if isinstance(found, str) else found


def _list_of(root: Path, name: str) -> Path | None:
    """The file that holds the digest of `root/name`, if there is one."""
    folder = (root / name).parent
    own = [folder / lists for lists in _OWN_LISTS] if folder != root else []
    return next((path for path in (*own, root / SUMS) if path.is_file()), None)


def _listed(path: Path) -> dict[str, Any]:
    """name -> digest, or the digests that are right; empty where there is no list."""
    try:
        files = unseal(path).get("files")
    except FileNotFoundError:
        return {}
    except (Damaged, OSError):
        files = None
    if not isinstance(files, dict):
        raise RequestError(f"record: {path} is damaged; restore it, or delete it to read its files as they stand")
    return files
