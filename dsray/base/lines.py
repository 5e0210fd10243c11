"""The lines of a training history: JSON, each with a checksum of its own, so that damage costs a line and no more."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_SUMMED = re.compile(rb'(?P<content>\{.*), "crc": "(?P<crc>[0-9a-f]{8})"\}')


def written_line(content: Mapping[str, Any]) -> str:
    """One line, with its end: the content, and its CRC-32 under `crc`."""
    text = json.dumps(content)
    return f'{text[:-1]}, "crc": "{zlib.crc32(text.encode()):08x}"}}\n'


class LineReader:
    """Reads the lines of one history in order; `damaged` counts those that were not as they had been written.

    A history of an older version has no checksums; where one line has one, all need it.
    """

    def __init__(self, known: Iterable[bytes] = ()) -> None:
        """known: those lines that can be seen already."""
        self.damaged = 0
        self.summed = any(_SUMMED.fullmatch(text) for text in known)

    def __call__(self, text: bytes) -> dict[str, Any] | None:
        """The content of one line (without its end), or None for a damaged or empty one."""
        if not text:
            return None
        content = self._content(text)
        self.damaged += content is None
        return content

    def lines(self, texts: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """The content of those lines that are sound."""
        return (content for content in map(self, texts) if content is not None)

    def _content(self, text: bytes) -> dict[str, Any] | None:
        found = _SUMMED.fullmatch(text)
        if found:
            own = found["content"] + b"}"
            if zlib.crc32(own) != int(found["crc"], 16):
                return None
            self.summed, text = True, own
        elif self.summed:
            return None
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None


def read_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The sound lines of a whole history, and how many were damaged."""
    texts = content.split(b"\n")
    reader = LineReader(texts)
    return list(reader.lines(texts)), reader.damaged
