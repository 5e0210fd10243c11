"""Follows the history of a training that another process writes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from dsray.base.lines import LineReader
from dsray.runner.files import TrainingFiles
from dsray.runner.place import Watch

Found = tuple[int, dict[str, Any] | None]
"""The hash of a line of a history, and its content; None for a damaged one."""


class Follower:
    """Hands on each sound line that is appended to a history, once, also when a resumed worker cuts the file.

    What the file holds at the beginning was handed on before. stepped: whether a step has been handed on.
    """

    def __init__(self, files: TrainingFiles, watch: Watch):
        self.path, self.training, self.watch = files.history, files.training, watch
        self.inode, self.position = 0, 0
        self.reader = LineReader()
        self.handed: set[int] = set()
        self.stepped = False
        found, _ = self._appended()
        self.handed.update(number for number, _ in found)
        watch.begin(self.training, _reached(found))

    def poll(self) -> None:
        """Hand on what has come since the last call."""
        found, cut = self._appended()
        if cut:
            self.watch.begin(self.training, _reached(takewhile(lambda pair: pair[0] in self.handed, found)))
        for number, line in found:
            if number in self.handed:
                continue
            self.handed.add(number)
            if line is not None:
                self.stepped = self.stepped or line.get("kind") == "step"
                self.watch.line(self.training, line)

    def _appended(self) -> tuple[list[Found], bool]:
        """The lines after those read before; or all, and True, where the file was cut or is another one by now."""
        try:
            with self.path.open("rb") as file:
                opened = os.fstat(file.fileno())  # not of the path, which may name a newer file by now
                cut = self.inode != 0 and (opened.st_ino != self.inode or opened.st_size < self.position)
                if cut:
                    self.position, self.reader = 0, LineReader()
                self.inode = opened.st_ino
                file.seek(self.position)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return [], False
        if not newline:
            return [], cut
        self.position += len(whole) + 1
        return [(hash(text), self.reader(text)) for text in whole.split(b"\n")], cut


def _reached(lines: Iterable[Found]) -> int:
    """The step that sound lines have come to."""
    steps = [line["step"] for _, line in lines if line is not None and isinstance(line.get("step"), int)]
    return steps[-1] if steps else 0
