"""`dsray doctor`: what is installed, and what works here."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.table import Table

from dsray.base.folders import can_exchange

PACKAGES = ("dsray", "ray", "torch", "pyarrow", "numpy", "onnx", "onnxruntime", "optuna", "pydantic", "foolbox")


def report() -> Table:
    """Versions, processors, memory in /dev/shm, GPU and the kernels that dsray leans on, each tried."""
    table = Table.grid(padding=(0, 2))
    for name in PACKAGES:
        table.add_row(name, _version(name))
    table.add_row("CPUs", str(os.cpu_count()))
    table.add_row(
        "/dev/shm free",
        f"{shutil.disk_usage('/dev/shm').free / 2**30:.1f} GiB" if os.path.isdir("/dev/shm") else "none",
    )
    table.add_row("folders", _folders())
    for name, check in (("GPU", _gpu), ("grouped product", _grouped), ("gloo", _gloo), ("int8 instructions", _vnni)):
        table.add_row(name, check())
    return table


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _folders() -> str:
    """How a folder is replaced where records are made."""
    where = Path("runs") if Path("runs").is_dir() else Path()
    try:
        whole = can_exchange(where)
    except OSError as error:
        return f"cannot write in {where.absolute()} ({error.strerror})"
    return (
        "replaced in one step"
        if whole
        else (f"replaced in two renames in {where.absolute()}: for a moment there is none, and a reader may miss it")
    )


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none; training runs on the CPU"
    bf16 = "with" if torch.cuda.is_bf16_supported() else "without"
    return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}, {bf16} bf16"


def _grouped() -> str:
    import torch
    from torch.nn import functional as F

    try:
        F.grouped_mm(torch.ones(4, 16), torch.ones(2, 16, 16), offs=torch.tensor([1, 4], dtype=torch.int32))
    except (RuntimeError, AttributeError) as error:
        return f"fails ({str(error).splitlines()[0]}); routed experts need torch 2.11 or newer"
    return "works"


def _gloo() -> str:
    import torch.distributed as dist

    return "works" if dist.is_available() and dist.is_gloo_available() else "missing; only one worker can train"


def _vnni() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            flags = file.read()
    except OSError:
        return "unknown"
    return "VNNI" if "vnni" in flags else "no VNNI: int8 products may saturate and are slower"
