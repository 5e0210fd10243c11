"""Columns -> Batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from dsray.base.batch import Batch
    from dsray.base.protocols import Columns
    from dsray.data.schema import Schema


def to_batch(columns: Columns, schema: Schema) -> Batch:
    """The rows as tensors, sharing the memory of `columns` where it may be written to.

    columns: `image` (rows, channels, height, width) float32 in [0, 1] or uint8 in 0..255, `text` (rows, length),
        `present.MODALITY`, `target`, `row` and `epoch`, as `Prepared.gather` gives them.
    """
    from dsray.base.batch import Batch  # torch: not for the workers of the data pipeline

    inputs = {name: columns[name] for name in schema.modalities}
    if "image" in inputs:
        inputs["image"] = unit_range(inputs["image"])
    return Batch(
        inputs={name: _tensor(values) for name, values in inputs.items()},
        target=_tensor(columns["target"]),
        rows=_tensor(columns["row"]),
        epochs=_tensor(columns["epoch"]),
        present={name: _tensor(columns[f"present.{name}"]) for name in schema.modalities},
    )


def unit_range(image: np.ndarray) -> np.ndarray:
    """uint8 in 0..255 -> float32 in [0, 1]; float32 as it is."""
    return np.divide(image, 255, dtype=np.float32) if image.dtype == np.uint8 else image


def _tensor(values: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(values if values.flags.writeable else values.copy())
