"""Files given to `dsray predict` -> raw rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dsray.base import RequestError, nearest
from dsray.data.classlabel import named, named_by, names_of
from dsray.data.parquet import read_parquet
from dsray.data.schema import Schema
from dsray.data.shards import different
from dsray.data.tables import holds_images, holds_labels, holds_text

_IMAGES = (".png", ".jpg", ".jpeg")
_BLOCKS = pyarrow.csv.ReadOptions(block_size=2**24)  # bytes; no value may be longer
_LINES = pyarrow.csv.ParseOptions(newlines_in_values=True)


def read_rows(path: Path, schema: Schema) -> pa.Table:
    """The rows of a file with the schema's columns, for `prepare_table`; the label column may be absent.

    path: a Parquet file or a folder of them; a CSV file, whose image column holds paths of image files relative to
        it; or, where the image is the model's only input, a PNG or JPEG file or a folder of them (column `file` tells
        them apart). Anything else is a RequestError.
    """
    if not path.exists():
        raise RequestError(f"'{path}' does not exist; needs a Parquet, CSV or image file, or a folder of them")
    if path.is_dir() and any(path.rglob("*.parquet")):
        return _checked(read_parquet(path, "file"), path, schema)
    images = _image_files(path)
    if images:
        return _read_images(images, path, schema)
    if path.suffix.lower() == ".csv":
        return _checked(_read_csv(path, schema), path, schema)
    if path.suffix.lower() == ".parquet":
        return _checked(read_parquet(path, "file"), path, schema)
    raise RequestError(f"'{path}' is none of .parquet, .csv, {', '.join(_IMAGES)} or a folder of them")


def _image_files(path: Path) -> list[Path]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if file.suffix.lower() in _IMAGES]


def _read_images(files: list[Path], path: Path, schema: Schema) -> pa.Table:
    if schema.image is None:
        raise RequestError(
            f"'{path}': this model reads no image; give a Parquet or CSV file with column '{_names(schema)}'"
        )
    if schema.text is not None:
        raise RequestError(
            f"'{path}': this model reads '{schema.text.column}' too; give a Parquet or CSV file with {_names(schema)}"
        )
    return pa.table({"file": [f.name for f in files], schema.image.column: [f.read_bytes() for f in files]})


def _read_csv(path: Path, schema: Schema) -> pa.Table:
    text = {schema.text.column: pa.string()} if schema.text is not None else {}
    paths = {schema.image.column: pa.string()} if schema.image is not None else {}
    options = pyarrow.csv.ConvertOptions(
        column_types={**text, **paths}, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False
    )
    try:
        table = pyarrow.csv.read_csv(path, _BLOCKS, _LINES, options)
    except pa.ArrowInvalid as error:
        raise RequestError(f"'{path}' is not a CSV file with a line of column names ({error})") from None
    _once(table, schema.label, path)
    if schema.label in table.column_names:
        table = _label_as_written(table, path, schema)
    if schema.image is None or schema.image.column not in table.column_names:
        return table
    _once(table, schema.image.column, path)
    files = table.column(schema.image.column).to_pylist()
    place = table.column_names.index(schema.image.column)
    encoded = [_read_image(path.parent / file, path, row) if file else None for row, file in enumerate(files)]
    return table.set_column(place, schema.image.column, pa.array(encoded, pa.binary()))


def _label_as_written(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    """The label as text where that names a class: `01` is no number and `True` no truth value if classes are so called."""
    options = pyarrow.csv.ConvertOptions(
        include_columns=[schema.label],
        column_types={schema.label: pa.string()},
        strings_can_be_null=True,
        null_values=[""],
    )
    written = pyarrow.csv.read_csv(path, _BLOCKS, _LINES, options).column(schema.label)
    if not pc.any(pc.is_in(written, value_set=pa.array(schema.classes))).as_py():
        return table
    return table.set_column(table.column_names.index(schema.label), schema.label, written)


def _read_image(file: Path, path: Path, row: int) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise RequestError(f"'{path}': row {row} names the image '{file}', which cannot be read") from None


def _checked(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    for part, holds, what in ((schema.image, holds_images, "PNG or JPEG bytes"), (schema.text, holds_text, "text")):
        if part is None:
            continue
        _in_all_files(table, part.column)
        if part.column not in table.column_names:
            raise RequestError(f"'{path}' has no column '{part.column}'; {nearest(part.column, table.column_names)}")
        _once(table, part.column, path)
        found = table.schema.field(part.column).type
        if not holds(found):
            raise RequestError(f"'{path}': column '{part.column}' holds {found}; needs {what}")
    _in_all_files(table, schema.label)
    _once(table, schema.label, path)
    if schema.label in table.column_names and not holds_labels(found := table.schema.field(schema.label).type):
        raise RequestError(f"'{path}': column '{schema.label}' holds {found}; needs whole numbers, booleans or words")
    if not len(table):
        raise RequestError(f"'{path}' has no rows")
    return _label_by_name(table, path, schema) if schema.label in table.column_names else table


def _label_by_name(table: pa.Table, path: Path, schema: Schema) -> pa.Table:
    """The label column with its numbers replaced by the names that this file gives them, or those of the model."""
    names = names_of(table, schema.label, f"'{path}'")
    if names is not None and not set(names).isdisjoint(schema.classes):
        return named(table, schema.label, names, f"'{path}'")
    return named_by(table, schema.label, schema.label_names, f"'{path}'") if schema.label_names else table


def _in_all_files(table: pa.Table, column: str) -> None:
    if reason := different(table, column):
        raise RequestError(reason)


def _once(table: pa.Table, column: str, path: Path) -> None:
    if (times := table.column_names.count(column)) > 1:
        raise RequestError(f"'{path}' has {times} columns '{column}'; rename all but one")


def _names(schema: Schema) -> str:
    return " and ".join(part.column for part in (schema.image, schema.text) if part is not None)
