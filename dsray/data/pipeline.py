"""The deterministic part of the pipeline: raw tables -> what the model reads. Runs once and is cached."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dsray.data.config import DataConfig
from dsray.data.counts import mark
from dsray.data.origin import numbered
from dsray.data.schema import Schema
from dsray.inputs import flat
from dsray.inputs.short import field_of


def fit_schema(config: DataConfig, train: pa.Table) -> Schema:
    """What can only be known from the training rows: what each input and the target learn."""
    inputs = {name: part.fit(train) for name, part in config.inputs.items()}
    return Schema(inputs=inputs, target=config.target.learn(train))


def fits(config: DataConfig, schema: Schema) -> bool:
    """Whether a schema, which may have come from anywhere, could have been learnt for `config`."""
    target = config.target
    if not target.learnt(schema.target) or schema.target.abstain != target.abstain:
        return False
    if schema.inputs.keys() != config.inputs.keys():
        return False
    return all(part.learnt(schema.inputs[name]) for name, part in config.inputs.items())


BLOCK_ROWS = 4096
"""Rows prepared at a time, which bounds the memory that decoding needs."""


def prepare_blocks(table: pa.Table, schema: Schema) -> pa.Table:
    """`prepare_table` on a table of any length, block by block."""
    blocks = [table.slice(start, BLOCK_ROWS) for start in range(0, max(1, len(table)), BLOCK_ROWS)]
    return pa.concat_tables([prepare_table(block, schema) for block in blocks])


def prepare_table(table: pa.Table, schema: Schema) -> pa.Table:
    """Encode the inputs and the target of any block of rows; the rows keep their order.

    Adds every tensor under its name (fixed-size list, as it is stored), `present.NAME` (bool) for each input, `target`
    and what `dsray.data.counts` counts. The columns of `table` are kept as `raw.COLUMN`, but for encoded ones. A
    value that cannot be read is a RowFault.
    """
    with numbered(table) as rows:
        raw = rows.rename_columns([f"raw.{name}" for name in rows.column_names])
        for name, spec in schema.inputs.items():
            found = spec.encode(rows, field_of(name, spec))
            for part, values in found.values.items():
                raw = raw.append_column(flat(name, part), _column(values))
            raw = mark(raw.append_column(f"present.{name}", pa.array(found.present)), name, found.marks)
        encoded = dict.fromkeys(f"raw.{column}" for spec in schema.inputs.values() for column in spec.encoded)
        raw = raw.drop_columns(list(encoded))
        return raw.append_column("target", _column(_targets(rows, schema)))


def _targets(rows: pa.Table, schema: Schema) -> np.ndarray:
    """The encoded targets; all unlabelled where the table has no such column."""
    target = schema.target
    there = target.column in rows.column_names
    return target.encode(rows.column(target.column)) if there else target.unlabelled(len(rows))


def _column(values: np.ndarray) -> pa.Array:
    """(rows, *shape) as an Arrow column: a number per row, or a list of fixed length."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), int(np.prod(values.shape[1:])))
