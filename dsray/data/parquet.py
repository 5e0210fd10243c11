"""Parquet files or folders of them."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from dsray.base import RequestError
from dsray.data.source import SPLITS, SourceConfig


class ParquetConfig(SourceConfig):
    """One Parquet file, or a folder of them, per split. Environment variables in a path are expanded."""

    kind: Literal["parquet"] = "parquet"
    train: str = Field(description="file or folder with the training rows; $DSRAY_DATA and ~ are expanded")
    test: str = Field(description="file or folder with the test rows")
    validation: str | None = Field(None, description="file or folder; without it, training rows are held out")

    def tables(self) -> dict[str, pa.Table]:
        return {split: read_parquet(self._path(split), f"data.source.{split}") for split in self._splits()}

    def fingerprint(self) -> str:
        content = hashlib.blake2b(digest_size=16)
        for name, digest in self.contents().items():
            content.update(f"{name} {digest}\n".encode())
        return content.hexdigest()

    def contents(self) -> dict[str, str]:
        found = {}
        for split in self._splits():
            path = self._path(split)
            for file in parquet_files(path, f"data.source.{split}"):
                name = file.name if file == path else file.relative_to(path)
                about = file.stat()
                found[f"{split}: {name}"] = _digest(file, about.st_size, about.st_mtime_ns)
        return found

    def at(self, folder: Path) -> Self:
        moved = {}
        for split in self._splits():
            path = self._path(split)
            if not path.is_absolute() and (folder / path).exists():
                moved[split] = str((folder / path).resolve())
        return self.model_copy(update=moved)

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if getattr(self, split) is not None]

    def _path(self, split: str) -> Path:
        return expand(getattr(self, split), f"data.source.{split}")


@lru_cache(maxsize=4096)
def _digest(file: Path, size: int, changed_ns: int) -> str:
    """The hash of a file's content, read once in a process for each size and time of change."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def expand(text: str, field: str) -> Path:
    """A path with its environment variables and ~ filled in; a variable that is not set is a RequestError."""
    path = os.path.expandvars(os.path.expanduser(text))
    if "$" in path:
        raise RequestError(
            f"{field}: '{text}' names an environment variable that is not set; export it or write it out"
        )
    return Path(path)


def parquet_files(path: Path, field: str) -> list[Path]:
    """The file itself, or the Parquet files under the folder in order of name."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise RequestError(f"{field}: '{path}' does not exist{where}; needs a Parquet file or a folder of them")
    found = sorted(path.rglob("*.parquet"))
    if not found:
        raise RequestError(f"{field}: no *.parquet in folder '{path}'; needs a Parquet file or a folder of them")
    return found


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries and views written out, which few functions of Arrow read."""
    for i, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        kind = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)
        if kind != field.type:
            table = table.set_column(i, field.name, table.column(i).cast(kind))
    return table


def read_parquet(path: Path, field: str) -> pa.Table:
    """All rows of a file or a folder; `field` names the request in errors."""
    tables = []
    for file in parquet_files(path, field):
        try:
            tables.append(_plain(pq.ParquetFile(file).read().replace_schema_metadata(None)))
        except (pa.ArrowInvalid, OSError) as error:
            raise RequestError(f"{field}: '{file}' is not a Parquet file ({str(error).split('.')[0]})") from None
    try:
        table = pa.concat_tables(tables)
    except pa.ArrowInvalid:
        raise RequestError(f"{field}: the files of folder '{path}' have different columns") from None
    if not len(table):
        raise RequestError(f"{field}: '{path}' has no rows")
    return table
