"""Arrow columns of prepared tables as arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dsray.data.schema import Schema


def to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,), or (rows, n) where the column holds lists of a fixed size."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_fixed_size_list(array.type):
        return array.to_numpy(zero_copy_only=False)
    return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), array.type.list_size)


def targets_of(table: pa.Table, schema: Schema) -> np.ndarray:
    """The encoded targets of a table of `prepare_table`: (rows, *shape)."""
    return to_numpy(table.column("target")).reshape(-1, *schema.target.tensor.shape)
