"""A disk that takes no more says so through whichever library was writing: full, over quota, read-only, too large."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from dsray.base import DsrayError

REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "allow larger files",
    errno.EROFS: "make it writable",
    errno.EACCES: "let this user read and write it",
}
"""What would help, by the system's number."""
_NUMBER = re.compile(r"(?:os error|errno:?) (\d+)", re.IGNORECASE)


def refusal(error: BaseException) -> OSError | None:
    """The refusal of a disk that `error` is, says in its text, or was raised from; None if there is none.

    Libraries without Python's errors quote the system (safetensors: `(os error 28)`; pyarrow; onnxruntime).
    """
    for found in _chain(error):
        if isinstance(found, DsrayError):
            return None
        if isinstance(found, OSError) and found.errno in REMEDIES:
            return found
        for code in REMEDIES:
            said = _NUMBER.search(str(found))
            if (said and int(said[1]) == code) or os.strerror(code) in str(found):
                return OSError(code, os.strerror(code))
    return None


def in_words(found: OSError, where: object) -> str:
    """`runs/x/history.jsonl: No space left on device`. where: what was written, for an error that does not say so."""
    return f"{found.filename or where}: {os.strerror(found.errno or 0)}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
