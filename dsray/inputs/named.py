"""Files that a table names in a column `{bytes, path}`, as Hugging Face's datasets writes them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def names_files(kind: pa.DataType) -> bool:
    """A struct with the fields `bytes` and `path`."""
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0 or kind.get_field_index("path") < 0:
        return False
    path = kind.field("path").type
    return pa.types.is_string(path) or pa.types.is_large_string(path)


def named_in(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """The path of each row that holds no bytes but names a file; null elsewhere."""
    paths = pc.struct_field(column, "path")
    given = pc.and_(pc.is_null(pc.struct_field(column, "bytes")), pc.not_equal(paths, ""))
    return pc.if_else(given, paths, pa.scalar(None, paths.type))


def holds_bytes(kind: pa.DataType) -> bool:
    """Bytes, or a struct with the bytes in a field of that name, which may be null where another names the file."""
    if names_files(kind) and pa.types.is_null(kind.field("bytes").type):
        return True
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def bytes_and_names(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """The bytes of each row, and the file that it names instead of holding any; null where there is none."""
    names = pa.chunked_array([pa.nulls(len(column), pa.string())])
    if pa.types.is_struct(column.type):
        names = named_in(column) if names_files(column.type) else names
        column = pc.struct_field(column, "bytes")
    return column.cast(pa.large_binary()).combine_chunks(), names.combine_chunks()
