"""The history of a training: JSON lines that a reader can follow, and that a resumed run cuts where it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsray.base.aside import flush, naming, replacing_file
from dsray.base.lines import LineReader, written_line


class HistoryFile:
    """JSON lines, each appended whole and closed, so that a reader that follows the file sees no torn line for long."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, line: dict[str, Any]) -> None:
        """Write one line at the end."""
        with naming(self.path, self.path), self.path.open("a") as file:
            file.write(written_line(line))

    def flush(self) -> None:
        """Bring the lines to the disk, before the checkpoint that they lead to."""
        with naming(self.path, self.path):
            flush(self.path)
            flush(self.path.parent)


def rewind_history(path: Path, step: int) -> None:
    """Cut the history after the checkpoint of `step`: what follows will be written again by the resumed run.

    Damaged lines before it stay, so that they are counted. Where the checkpoint's own line is damaged, the history is cut
    before the first line of a later step. Lines of an older version get the checksums that they lack.
    """
    if not path.exists():
        return
    kept: list[bytes] = []
    end = later = None
    texts = path.read_bytes().split(b"\n")
    reader = LineReader(texts)
    for text in filter(None, texts):
        line = reader(text)
        kept.append(text + b"\n" if line is None or reader.summed else written_line(line).encode())
        if line is None or not isinstance(line.get("step"), int):
            continue
        if line.get("kind") == "checkpoint" and line["step"] == step:
            end, later = len(kept), None
        elif line["step"] > step and later is None:
            later = len(kept) - 1
    kept = kept[: end if end is not None else later]
    with replacing_file(path) as aside:
        aside.write_bytes(b"".join(kept))
