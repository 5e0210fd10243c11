"""Files that rows name instead of holding bytes: where they lie, and the hash of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dsray.inputs.named import named_in, names_files


def located(table: pa.Table, folder: Path) -> pa.Table:
    """The table with each relative path that is needed made absolute: beside the file, or else in the working directory."""
    for i, field in enumerate(table.schema):
        if names_files(field.type) and named_in(table.column(i)).null_count < len(table):
            chunks = [_located(chunk, folder) for chunk in table.column(i).chunks]
            table = table.set_column(i, field, pa.chunked_array(chunks, field.type))
    return table


def hash_of_all(files: Iterable[Path]) -> str | None:
    """A hash of the content of files, one after the other, wherever they lie; None where there are none."""
    content = hashlib.blake2b(digest_size=16)
    some = False
    for file in files:
        content.update(f"{hash_of(file) if file.is_file() else 'none'}\n".encode())
        some = True
    return content.hexdigest() if some else None


def hash_of(file: Path) -> str:
    """The hash of a file's content, read once in a process for each size and time of change."""
    about = file.stat()
    return _hash_of(file, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=2**17)
def _hash_of(file: Path, size: int, changed_ns: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _located(chunk: pa.StructArray, folder: Path) -> pa.StructArray:
    names = named_in(chunk)
    where = {name: str(_beside(name, folder)) for name in pc.unique(names).drop_null().to_pylist()}
    found = pa.array([where.get(name) for name in names.to_pylist()], names.type)
    fields = list(chunk.type)
    parts = [pc.struct_field(chunk, field.name) for field in fields]
    place = chunk.type.get_field_index("path")
    parts[place] = pc.coalesce(found, parts[place])
    return pa.StructArray.from_arrays(parts, fields=fields, mask=chunk.is_null())


def _beside(name: str, folder: Path) -> Path:
    beside = (folder / name).absolute()
    here = Path(name).absolute()
    return here if here.exists() and not beside.exists() else beside
