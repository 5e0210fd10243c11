"""The manifest: what has to be known to judge a record or to make it again."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dsray.record.record import FORMAT

PACKAGES = ("torch", "ray", "numpy", "onnxruntime", "pyarrow", "optuna")


def make_manifest(
    experiment: Mapping[str, Any], command: Sequence[str], overrides: Sequence[str], data: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of `manifest.json`.

    experiment: the resolved experiment (its `name` and `seed` are read); command: the words as typed; overrides: dotted
    overrides; data: fingerprint, rows per split, kind of source. Holds no host name, and no path beyond the command.
    """
    return {
        "format": FORMAT,
        "name": experiment.get("name"),
        "seed": experiment.get("seed"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dsray": _version("dsray"),
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "git_commit": git_commit(Path.cwd()),
        "host": {"cpus": _cpus(), "memory_gib": _memory_gib(), "platform": platform.platform(), "gpu": _gpu()},
        "command": list(command),
        "overrides": list(overrides),
        "data": dict(data),
    }


def git_commit(folder: Path) -> str | None:
    """The commit of the repository that holds `folder`, `+dirty` when tracked files differ; None outside of one."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit if changes == "" else f"{commit}+dirty"


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpus() -> int:
    """CPUs this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpu() -> str | None:
    """`2 x NVIDIA H100 80GB HBM3`, read from the driver without loading torch; None without a driver."""
    models = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = information.read_text(errors="replace").splitlines()
        models += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return ", ".join(f"{models.count(name)} x {name}" for name in dict.fromkeys(models)) or None
