"""Digests of what was written, so that a damaged byte is never read as whole.

A sealed file is JSON that holds its own digest and is written in one way only: not a byte of it can change unnoticed.
`sums.json` is such a file; it holds the digests (SHA-256) of the others in its folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SUMS = "sums.json"
MAX_DEPTH = 100
"""Lists and mappings inside each other; what is written here has ten."""
_SEAL = "sha256"


class Damaged(ValueError):
    """What stands on the disk is not what was written; says which file, and how that shows."""


def parse(text: bytes) -> Any:
    """The content of JSON in UTF-8; ValueError for everything else, however deep it nests."""
    try:
        content = json.loads(text.decode())
        _check_depth(content)
        return content
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None


def seal(content: Mapping[str, Any]) -> bytes:
    """`content` as JSON with its digest under `sha256`."""
    return _written({**content, _SEAL: digest(content)})


def unseal(path: Path) -> dict[str, Any]:
    """What `seal` was given, and the digest; Damaged unless each byte is as it was written, OSError as it comes."""
    text = path.read_bytes()
    try:
        content = parse(text)
        own = {key: value for key, value in content.items() if key != _SEAL}
        whole = content.get(_SEAL) == digest(own) and text == _written(content)
    except (ValueError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise Damaged(f"{path.name} was altered (its own digest differs)")
    return dict(content)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever the order of their keys."""
    return digest_of(json.dumps(content, sort_keys=True).encode())


def digest_of(content: bytes | Path) -> str:
    """SHA-256 of bytes, or of what a file holds."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Put the digests of all files of a finished folder beside them."""
    files = {path.name: digest_of(path) for path in sorted(folder.iterdir())}
    (folder / SUMS).write_bytes(seal({"files": files}))


def check_sums(folder: Path, needed: Iterable[str]) -> bool:
    """Compare the files of a folder with their digests; Damaged names the first that differs.

    needed: files that must be among them. False where the folder has no digests: it was made by an older version.
    """
    try:
        files = unseal(folder / SUMS)["files"]
    except FileNotFoundError:
        return False
    compare(folder, files, needed)
    return True


def compare(folder: Path, files: Any, needed: Iterable[str]) -> None:
    """Compare files with a table name -> digest that may have come from anywhere; Damaged says what is wrong."""
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        raise Damaged("the list of its files is none")
    for name in (*needed, *files):
        if not is_plain_name(name):
            raise Damaged(f"{name[:80]!r} names no file inside the folder")
        if name not in files:
            raise Damaged(f"{name} is not in the list of its files")
        path = folder / name
        if not path.is_file() or digest_of(path) != files[name]:
            raise Damaged(f"{name} is missing or was altered (its hash differs)")


def is_plain_name(name: str) -> bool:
    """Whether a name leads to a file of the folder itself and nowhere else."""
    short = name.isprintable() and len(name.encode()) <= 255
    return short and name not in ("", ".", "..") and not {"/", "\\", ":"} & set(name)


def _check_depth(content: Any) -> None:
    """RecursionError where whoever walks through `content` would meet one."""
    level = [content]
    for _ in range(MAX_DEPTH):
        children = (
            node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list)
        )
        level = [child for some in children for child in some if isinstance(child, dict | list)]
        if not level:
            return
    raise RecursionError


def _written(content: Mapping[str, Any]) -> bytes:
    """In the order of its keys, which means something to readers and comes back as it was."""
    return json.dumps(content, indent=1).encode()
