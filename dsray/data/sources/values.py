"""Files that hold one value of an input each: a row a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from dsray.data.sources.format import Format


@final
@dataclass(frozen=True)
class Values(Format):
    """A file or a folder of them, in order of name: column `file` tells them apart, `column` holds their bytes."""

    suffixes: tuple[str, ...]
    column: str = "value"

    def holds(self, path: Path) -> bool:
        return bool(self.files(path))

    def read(self, path: Path, field: str) -> pa.Table:
        files = self.files(path)
        return pa.table({"file": [file.name for file in files], self.column: [file.read_bytes() for file in files]})

    def files(self, path: Path) -> list[Path]:
        """Those at a path."""
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        return [file for file in found if file.suffix.lower() in self.suffixes]
