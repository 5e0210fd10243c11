"""Parquet files or folders of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self, final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from dsray.base import RequestError
from dsray.data.named import hash_of, located, named_in, names_files
from dsray.data.sources.format import Format
from dsray.data.sources.shards import joined
from dsray.data.sources.source import SPLITS, SourceConfig
from dsray.targets.classlabel import names_in, with_names


@final
class Parquet(Format):
    """A file, or a folder of them at any depth, whose columns may come in any order."""

    def holds(self, path: Path) -> bool:
        return path.suffix.lower() == ".parquet" or (path.is_dir() and any(path.rglob("*.parquet")))

    def read(self, path: Path, field: str) -> pa.Table:
        """Names that the files give to numbered labels stand in the schema."""
        tables, names = {}, []
        for file in parquet_files(path, field):
            try:
                table = pq.ParquetFile(file).read()
                names.append(names_in(table.schema))
                tables[file] = located(_plain(table.replace_schema_metadata(None)), file.parent)
            except (pa.ArrowInvalid, OSError) as error:
                raise RequestError(f"{field}: '{file}' is not a Parquet file ({str(error).split('.')[0]})") from None
        if not any(map(len, tables.values())):
            raise RequestError(f"{field}: '{path}' has no rows")
        table = joined(tables)
        if not table.column_names:
            raise RequestError(f"{field}: the files of folder '{path}' have no column in common")
        return with_names(table, names)


PARQUET = Parquet()


class ParquetConfig(SourceConfig):
    """One Parquet file, or a folder of them, per split. Environment variables in a path are expanded."""

    kind: Literal["parquet"] = "parquet"
    train: str = Field(description="file or folder with the training rows; $DSRAY_DATA and ~ are expanded")
    test: str = Field(description="file or folder with the test rows")
    validation: str | None = Field(None, description="file or folder; without it, training rows are held out")

    def tables(self) -> dict[str, pa.Table]:
        return {split: PARQUET.read(self._path(split), f"data.source.{split}") for split in self._splits()}

    def fingerprint(self) -> str:
        content = hashlib.blake2b(digest_size=16)
        for name, found in self.contents().items():
            content.update(f"{name} {found}\n".encode())
        return content.hexdigest()

    def contents(self) -> dict[str, str]:
        found = {}
        for split in self._splits():
            path = self._path(split)
            for file in parquet_files(path, f"data.source.{split}"):
                name = file.name if file == path else file.relative_to(path)
                found[f"{split}: {name}"] = hash_of(file)
        return found

    def at(self, folder: Path) -> Self:
        moved = {}
        for split in self._splits():
            path = self._path(split)
            if not path.is_absolute() and (folder / path).exists():
                moved[split] = str((folder / path).resolve())
        return self.model_copy(update=moved)

    def named_files(self, column: str) -> Iterator[Path]:
        for split in self._splits():
            for file in parquet_files(self._path(split), f"data.source.{split}"):
                yield from _named_files(file, column)

    def place(self, split: str, row: int) -> str:
        for file in parquet_files(self._path(split), f"data.source.{split}"):
            rows = pq.read_metadata(file).num_rows
            if row < rows:
                return f"row {row} of '{file}' ({split})"
            row -= rows
        return super().place(split, row)

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if getattr(self, split) is not None]

    def _path(self, split: str) -> Path:
        return expand(getattr(self, split), f"data.source.{split}")


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
        if (kind := _plain_type(field.type)) != field.type:
            table = table.set_column(i, field.name, table.column(i).cast(kind))
    return table


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        bare = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return bare(kind.value_field.with_type(_plain_type(kind.value_type)))
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)


def _named_files(file: Path, column: str) -> Iterator[Path]:
    """The files that rows of `column` name, a group of rows at a time; what is no Parquet file is told by its reader."""
    try:
        opened = pq.ParquetFile(file)
        place = opened.schema_arrow.get_field_index(column)
        if place < 0 or not names_files(_plain_type(opened.schema_arrow.field(place).type)):
            return
        if all(_holds_all(opened.metadata.row_group(i), column) for i in range(opened.num_row_groups)):
            return
        for batch in opened.iter_batches(columns=[column]):
            table = located(_plain(pa.table([batch.column(column)], [column])), file.parent)
            yield from map(Path, named_in(table.column(0)).drop_null().to_pylist())
    except (pa.ArrowInvalid, OSError):
        return


def _holds_all(group: pq.RowGroupMetaData, column: str) -> bool:
    """True where the file itself says that no row of the group lacks its bytes, so that they need not be read."""
    chunks = (group.column(i) for i in range(group.num_columns))
    found = [chunk.statistics for chunk in chunks if chunk.path_in_schema == f"{column}.bytes"]
    return all(about is not None and about.has_null_count and about.null_count == 0 for about in found)
