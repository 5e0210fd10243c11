"""The work of data tasks. It imports neither torch nor the engine: a task's process is ready a few seconds sooner."""

from __future__ import annotations

from typing import Any

import ray

from dsray.augment import AugmentConfig, augment
from dsray.data.prepared import Prepared


def gather(ids: dict[str, Any], data: list[ray.ObjectRef], operations: AugmentConfig, seed: int) -> dict[str, Any]:
    """Rows by id from the shared table, augmented. ids: `row` and `epoch` (rows,) int64. data: holds the reference."""
    prepared: Prepared = ray.get(data[0])
    columns = prepared.gather(ids["row"], ids["epoch"])
    return augment(columns, [operation.build() for operation in operations.operations], seed)
