"""Columns -> Batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsray.inputs import flat

if TYPE_CHECKING:
    from torch import Tensor

    from dsray.base.batch import Batch
    from dsray.base.protocols import Columns
    from dsray.data.schema import Schema


def to_batch(columns: Columns, schema: Schema) -> Batch:
    """The rows as tensors, sharing the memory of `columns` where it may be written to.

    columns: every tensor of the schema's inputs, stored or as the model reads it, `present.NAME`, `target`, `row` and
        `epoch`, as `Prepared.take` gives them.
    """
    from dsray.base.batch import Batch  # torch: not for the workers of the data pipeline

    inputs = {}
    for name, spec in schema.inputs.items():
        for part in spec.tensors:
            inputs[flat(name, part)] = _tensor(spec.unpack(part, columns[flat(name, part)]))
    return Batch(
        inputs=inputs,
        target=_tensor(columns["target"]),
        rows=_tensor(columns["row"]),
        epochs=_tensor(columns["epoch"]),
        present={name: _tensor(columns[f"present.{name}"]) for name in schema.names},
    )


def unpack(columns: Columns, schema: Schema) -> Columns:
    """The columns with every stored tensor as the model reads it."""
    found = dict(columns)
    for name, spec in schema.inputs.items():
        for part in spec.tensors:
            found[flat(name, part)] = spec.unpack(part, columns[flat(name, part)])
    return found


def _tensor(values: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(values if values.flags.writeable else values.copy())
