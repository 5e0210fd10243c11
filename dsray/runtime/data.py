"""Ray Data: the deterministic preparation, and the augmented batches of a stage in exact order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import dsray.runtime.quiet  # noqa: F401  isort: skip
import pyarrow as pa
import ray
import ray.data

from dsray.augment import AugmentConfig
from dsray.data import DataConfig, Draws, Prepared
from dsray.data import prepare as prepare_rows
from dsray.data.schema import Schema
from dsray.runtime.blocks import REFUSED, Share, prepare_block, refusal, take_block

BLOCK_ROWS = 4096
"""Row ids of a block: several global batches, since smaller blocks cost more in start-up than they save in time."""


def quiet_context() -> None:
    """Keep Ray Data's order and keep it silent, in this process."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised as well


def prepare(config: DataConfig, cache: Path, seed: int = 0, schema: Schema | None = None) -> Prepared:
    """`dsray.data.prepare` with the encoding of rows as tasks of Ray Data; the same arrays."""
    return prepare_rows(config, cache, seed, schema, encode=_encode)


def _encode(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, pa.Table]:
    """`prepare_table` of every split, in one execution."""
    quiet_context()
    blocks = [table.slice(i, BLOCK_ROWS) for table in tables.values() for i in range(0, len(table), BLOCK_ROWS)]
    dataset = _numbered(len(blocks), prepare_block, {"blocks": [ray.put(blocks)], "schema": schema}, idle_cpus(0))
    parts = ray.get(dataset.to_arrow_refs())
    for part in parts:
        if REFUSED in part.column_names:
            raise refusal(part)
    whole = pa.concat_tables(parts)
    found, start = {}, 0
    for split, table in tables.items():
        found[split], start = whole.slice(start, len(table)), start + len(table)
    return found


def _numbered(
    blocks: int, work: Callable[..., Any], shared: dict[str, Any], tasks: int, **remote: Any
) -> ray.data.Dataset:
    """`work(block, **shared)` for block numbers 0..blocks-1, at most `tasks` at a time.

    The numbers come from a range, whose read is one task with the map; other sources cost tasks of their own.
    """
    dataset = ray.data.range(blocks, override_num_blocks=blocks).map_batches(
        cast(Any, work), fn_kwargs=shared, batch_format="numpy", batch_size=None, **remote
    )
    dataset.context.execution_options.resource_limits = ray.data.ExecutionResources(cpu=tasks)
    return dataset


def augmented(
    data: ray.ObjectRef,
    augmentation: AugmentConfig,
    draws: Draws,
    first: int,
    last: int,
    rank: int,
    size: int,
    seed: int,
    tasks: int = 1,
    **remote: Any,
) -> Iterator[dict[str, Any]]:
    """One dictionary of arrays per step first..last-1: this worker's rows, in the order of the draws.

    data: reference to the `Prepared` rows. tasks: most data tasks at a time, which begin at once and make blocks ahead
    of the consumer; more than there are idle CPUs would hold up the training that they feed. remote: their options, as
    Ray names them.
    """
    quiet_context()
    mine = draws.per_worker(rank, size)
    share = Share(first, last, max(1, BLOCK_ROWS // mine), rank, size)
    blocks = -(-(last - first) // share.steps)
    shared = {"draws": [ray.put(draws)], "share": share, "data": [data], "operations": augmentation, "seed": seed}
    dataset = _numbered(blocks, take_block, shared, tasks, **remote)
    return iter(
        cast(Iterable[dict[str, Any]], dataset.iter_batches(batch_size=mine, batch_format="numpy", prefetch_batches=4))
    )


def idle_cpus(busy: int) -> int:
    """CPUs of the cluster beside those that `busy` threads use, at least 1.

    A cluster of one machine is counted by its cores, since a private one offers more logical CPUs than there are.
    """
    machines = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    cpus = sum(machines) if len(machines) > 1 else min(machines[0], os.cpu_count() or 1)
    return max(1, int(cpus) - busy)
