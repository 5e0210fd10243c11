"""A format of files, which sources and `predict` read through the same class: how a format is read is said once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pyarrow as pa


class Format(ABC):
    """One format of files that hold rows."""

    @abstractmethod
    def holds(self, path: Path) -> bool:
        """Whether the file or the folder is of this format, by its name and those of the files in it."""

    @abstractmethod
    def read(self, path: Path, field: str) -> pa.Table:
        """All rows. field: what the errors call the request. What cannot be read is a RequestError."""
