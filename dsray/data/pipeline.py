"""The deterministic part of the pipeline: raw tables -> what the model reads. Runs once and is cached."""

from __future__ import annotations

import pyarrow as pa

from dsray.data.classlabel import names_read
from dsray.data.config import DataConfig
from dsray.data.images import encode_images
from dsray.data.labels import class_names, encode_label
from dsray.data.origin import numbered
from dsray.data.schema import ImageSpec, Schema
from dsray.data.texts import fit_text
from dsray.data.tokens import encode_text, is_tokenizer


def fit_schema(config: DataConfig, train: pa.Table) -> Schema:
    """What can only be known from the training rows: the class names and the tokeniser."""
    image = text = None
    if config.image is not None:
        image = ImageSpec(
            column=config.image.column,
            channels=config.image.channels,
            height=config.image.height,
            width=config.image.width,
        )
    if config.text is not None:
        text = fit_text(config.text, train.column(config.text.column).drop_null().to_pylist())
    classes = class_names(train.column(config.label), config.label)
    names = names_read(train, config.label)
    return Schema(image=image, text=text, label=config.label, classes=classes, label_names=names)


def fits(config: DataConfig, schema: Schema) -> bool:
    """Whether a schema, which may have come from anywhere, could have been learnt for `config`."""
    image, text = schema.image, schema.text
    learnt = (schema.label, image and (image.column, image.channels, image.height, image.width), text and text.column)
    asked = (
        config.label,
        config.image and (config.image.column, config.image.channels, config.image.height, config.image.width),
        config.text and config.text.column,
    )
    return learnt == asked and (text is None or is_tokenizer(text.tokenizer, text.vocabulary))


BLOCK_ROWS = 4096
"""Rows prepared at a time, which bounds the memory that decoding needs."""


def prepare_blocks(table: pa.Table, schema: Schema) -> pa.Table:
    """`prepare_table` on a table of any length, block by block."""
    blocks = [table.slice(start, BLOCK_ROWS) for start in range(0, max(1, len(table)), BLOCK_ROWS)]
    return pa.concat_tables([prepare_table(block, schema) for block in blocks])


def prepare_table(table: pa.Table, schema: Schema) -> pa.Table:
    """Decode, resize, tokenise and encode the label of any block of rows; the rows keep their order.

    Adds `image` (fixed-size list uint8: channel, height, width), `text` (fixed-size list int64), `present.image`,
    `present.text` (bool), `target` (int64) and what `dsray.data.counts` counts. The columns of `table` are kept as
    `raw.NAME`, but for the image. A value that cannot be read is a RowFault.
    """
    with numbered(table) as rows:
        rows = rows.rename_columns([f"raw.{name}" for name in rows.column_names])
        if schema.image is not None:
            rows = encode_images(rows, schema.image).drop_columns([f"raw.{schema.image.column}"])
        if schema.text is not None:
            rows = encode_text(rows, schema.text)
        return encode_label(rows, schema.label, schema.classes)
