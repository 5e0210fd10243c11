"""The work of data tasks. It imports neither torch nor the engine: a task's process is ready a few seconds sooner."""

from __future__ import annotations

from typing import Any

import ray

from dsray.augment import AugmentConfig, augment
from dsray.data.prepared import Prepared


def gather(
    block: dict[str, Any], ids: list[ray.ObjectRef], data: list[ray.ObjectRef], operations: AugmentConfig, seed: int
) -> dict[str, Any]:
    """Rows by id from the shared table, augmented.

    block: `id` (1,), the number of the block. ids: reference to a list of blocks, each (row ids, epochs), both (rows,)
    int64. data: reference to the `Prepared` rows.
    """
    rows, epochs = ray.get(ids[0])[int(block["id"][0])]
    prepared: Prepared = ray.get(data[0])
    return augment(prepared.gather(rows, epochs), [operation.build() for operation in operations.operations], seed)
