"""A function run on several gloo processes at once."""

from __future__ import annotations

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def on_processes(count: int, work, *arguments) -> None:
    """`work(rank, *arguments)` on `count` processes that share a gloo group; each keeps to one thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.start_processes(_start, (count, port, work, arguments), nprocs=count, start_method="spawn")


def _start(rank, count, port, work, arguments):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=count)
    work(rank, *arguments)
    dist.barrier()
    dist.destroy_process_group()
