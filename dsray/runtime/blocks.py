"""The work of data tasks. It imports neither torch nor the engine: a task's process is ready a few seconds sooner."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray

from dsray.augment import AugmentConfig, augment
from dsray.base import RequestError
from dsray.data.draws import Draws
from dsray.data.pipeline import prepare_table
from dsray.data.prepared import Prepared
from dsray.data.schema import Schema
from dsray.inputs.fault import RowFault

REFUSED = "refused"


@dataclass(frozen=True)
class Share:
    """Steps first..last-1 in blocks of `steps`, and the worker they are for."""

    first: int
    last: int
    steps: int
    rank: int
    size: int


def take_block(
    block: dict[str, Any],
    draws: list[ray.ObjectRef],
    share: Share,
    data: list[ray.ObjectRef],
    operations: AugmentConfig,
    seed: int,
) -> dict[str, Any]:
    """One worker's rows of a block of steps, from the shared table, augmented.

    block: `id` (1,), the number of the block. draws, data: references to the stage's `Draws` and the `Prepared` rows.
    """
    of_stage: Draws = ray.get(draws[0])
    prepared: Prepared = ray.get(data[0])
    start = share.first + int(block["id"][0]) * share.steps
    rows, epochs = of_stage.slice(start, min(start + share.steps, share.last), share.rank, share.size)
    built = operations.build(prepared.schema)
    return augment(prepared.take(rows, epochs), built, prepared.schema, seed, of_stage.stage)


def prepare_block(block: dict[str, Any], blocks: list[ray.ObjectRef], schema: Schema) -> pa.Table:
    """Encoded rows. block: `id` (1,), the number of one of the tables that `blocks` refers to.

    Rows that are refused give what `refusal` makes the error of: Ray Data would lose the error itself on its way.
    """
    try:
        return prepare_table(ray.get(blocks[0])[int(block["id"][0])], schema)
    except RequestError as error:
        return pa.table({REFUSED: [json.dumps(error.args)]})


def refusal(part: pa.Table) -> RequestError:
    """The error that `prepare_block` met."""
    said = json.loads(part.column(REFUSED)[0].as_py())
    return RowFault(*said) if len(said) > 1 else RequestError(*said)
