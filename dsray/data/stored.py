"""Prepared rows on disk: arrays in one mapped file, with a checksum for each block, compared when it is first read.

A process that maps the file reads nothing of it. The blocks of the rows that it asks for are compared once, so that
damage is an error wherever it lies, and rows that are read again cost nothing more.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dsray.base import RunFailure

BLOCK = 1 << 18
"""Bytes of a block: few enough that a row alone is cheap, and many enough that their sums are few."""
_ALIGNED = 64


class StoredColumns(Mapping[str, np.ndarray]):
    """Arrays by name, read-only and mapped. Whatever is handed out has been compared with its checksums.

    Pickled, it is a plain dictionary of the arrays, all of them compared.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]):
        """about: what `write_columns` returned."""
        self._path, self._sums = path, about["sums"]
        self._bytes = _mapped(path)
        self._places: dict[str, tuple[int, int]] = {}
        self._arrays: dict[str, np.ndarray] = {}
        for name, place in about["columns"].items():
            kind, shape, offset = np.dtype(place["dtype"]), tuple(place["shape"]), place["offset"]
            size = kind.itemsize * int(np.prod(shape))
            self._arrays[name] = self._bytes[offset : offset + size].view(kind).reshape(shape)
            self._places[name] = (offset, size // max(1, shape[0]))
        self._compared = np.zeros(len(self._sums), np.bool_)
        self._unread = np.ones(max((len(array) for array in self._arrays.values()), default=0), np.bool_)
        self._whole: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._arrays[name]
        if name not in self._whole:
            offset, _ = self._places[name]
            self._compare(np.arange(offset // BLOCK, -(-(offset + array.nbytes) // BLOCK)))
            self._whole.add(name)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self.items()),)

    def around(self, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        """The arrays, of which nothing but the given rows (ids from 0) may be read."""
        rows = np.asarray(rows)
        new = rows[self._unread[rows]]
        if len(new):
            for name, (offset, size) in self._places.items():
                if size and name not in self._whole:
                    first, last = (offset + new * size) // BLOCK, (offset + (new + 1) * size - 1) // BLOCK
                    for further in range(int((last - first).max()) + 1):
                        self._compare(np.unique(np.minimum(first + further, last)))
            self._unread[new] = False
        return self._arrays

    def _compare(self, blocks: np.ndarray) -> None:
        for block in blocks[~self._compared[blocks]].tolist():
            if zlib.crc32(self._bytes[block * BLOCK : (block + 1) * BLOCK].data) != self._sums[block]:
                raise damaged(self._path, f"block {block + 1} of {len(self._sums)} is not what was written")
            self._compared[block] = True


class StoredTable:
    """An Arrow table in a file, compared with its checksum when it is first read. Pickled, it is the table."""

    def __init__(self, path: Path, about: Mapping[str, Any]):
        """about: what `write_table` returned."""
        self._path, self._sum = path, about["sum"]
        self._table: pa.Table | None = None

    def read(self) -> pa.Table:
        """The table, mapped."""
        if self._table is None:
            content = _mapped(self._path)
            if zlib.crc32(content.data) != self._sum:
                raise damaged(self._path, "its checksum differs")
            self._table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
        return self._table

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.read(),)


def write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Write the arrays one after the other; returns where each lies, and the checksums of the blocks."""
    places = {}
    with path.open("wb") as file:
        sums = _Sums()
        for name, values in columns.items():
            places[name] = {"dtype": values.dtype.str, "shape": list(values.shape), "offset": file.tell()}
            content = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            for part in (content, np.zeros(-content.size % _ALIGNED, np.uint8)):
                file.write(part.data)
                sums.add(part)
        return {"bytes": file.tell(), "columns": places, "sums": sums.all()}


def write_table(path: Path, table: pa.Table) -> dict[str, Any]:
    """Write a table as an Arrow file; returns its checksum."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    content = _mapped(path)
    return {"bytes": content.size, "sum": zlib.crc32(content.data)}


def damaged(path: Path, why: str) -> RunFailure:
    """The one sentence for a prepared data set that cannot be trusted."""
    return RunFailure(f"data: {path} is damaged ({why}); delete {path.parent}, and it will be prepared again")


class _Sums:
    """The checksums of blocks of what is added, wherever one addition ends and the next begins."""

    def __init__(self) -> None:
        self._done: list[int] = []
        self._sum, self._filled = 0, 0

    def add(self, content: np.ndarray) -> None:
        """content: (bytes,) uint8."""
        start = 0
        while start < content.size:
            part = content[start : start + BLOCK - self._filled]
            self._sum, self._filled = zlib.crc32(part.data, self._sum), self._filled + part.size
            start += part.size
            if self._filled == BLOCK:
                self._done.append(self._sum)
                self._sum, self._filled = 0, 0

    def all(self) -> list[int]:
        return [*self._done, self._sum] if self._filled else self._done


def _mapped(path: Path) -> np.ndarray:
    """The bytes of a file, read when they are looked at."""
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def _itself(table: pa.Table) -> pa.Table:
    return table
