"""Ray Data: the deterministic preparation, and the augmented batches of a stage in exact order."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import dsray.runtime.quiet  # noqa: F401  isort: skip
import pyarrow as pa
import ray
import ray.data

from dsray.augment import AugmentConfig
from dsray.data import (
    DataConfig,
    Plan,
    Prepared,
    assemble,
    fingerprint_of,
    fit_schema,
    is_whole,
    load_tables,
    prepare_table,
)
from dsray.runtime.gather import Share, gather
from dsray.schema import Schema

BLOCK_ROWS = 4096
"""Row ids of a block: several global batches, since smaller blocks cost more in start-up than they save in time."""


def quiet_context() -> None:
    """Keep Ray Data's order and keep it silent, in this process."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised as well


def prepare(config: DataConfig, cache: Path, seed: int = 0) -> Prepared:
    """`dsray.data.prepare` with the decoding and tokenising placed by Ray Data; the same arrays."""
    fingerprint = fingerprint_of(config, seed)
    folder = cache / fingerprint
    if not is_whole(folder):
        quiet_context()
        tables = load_tables(config, seed)
        schema = fit_schema(config, tables["train"])
        prepared = {split: _prepare_split(table, schema) for split, table in tables.items()}
        assemble(schema, prepared, config, fingerprint).save(folder)
    return Prepared.load(folder)


def _prepare_split(table: pa.Table, schema: Schema) -> pa.Table:
    blocks = [table.slice(i, BLOCK_ROWS) for i in range(0, len(table), BLOCK_ROWS)]
    rows = ray.data.from_arrow(blocks).map_batches(
        cast(Any, prepare_table), fn_kwargs={"schema": schema}, batch_format="pyarrow", batch_size=None
    )
    return pa.concat_tables(ray.get(rows.to_arrow_refs()))


def augmented(
    data: ray.ObjectRef,
    augmentation: AugmentConfig,
    plan: Plan,
    first: int,
    last: int,
    rank: int,
    size: int,
    seed: int,
    tasks: int = 1,
    **remote: Any,
) -> Iterator[dict[str, Any]]:
    """One dictionary of arrays per step first..last-1: this worker's rows, in the order of the plan.

    data: reference to the `Prepared` rows. At most `tasks` data tasks begin at once and make
    blocks ahead of the consumer; more of them than there are idle CPUs would hold up the training that they feed. remote:
    options of these tasks, as Ray names them.
    """
    quiet_context()
    mine = plan.per_worker(rank, size)
    share = Share(first, last, max(1, BLOCK_ROWS // mine), rank, size)
    blocks = -(-(last - first) // share.steps)
    shared = {"plan": [ray.put(plan)], "share": share, "data": [data], "operations": augmentation, "seed": seed}
    # the block numbers come from a range, whose read is one task with the map; other sources cost tasks of their own
    dataset = ray.data.range(blocks, override_num_blocks=blocks).map_batches(
        cast(Any, gather),
        fn_kwargs=shared,
        batch_format="numpy",
        batch_size=None,
        **remote,
    )
    dataset.context.execution_options.resource_limits = ray.data.ExecutionResources(cpu=tasks)
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
