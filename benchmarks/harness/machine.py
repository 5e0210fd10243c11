"""On what a row was measured: the machine, and the commit of the tree."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.harness.benchmark import ROOT

PACKAGES = ("torch", "ray", "onnxruntime")
WATCHED = ("dsray", "jobs", "benchmarks", ":(exclude)benchmarks/results")
"""What a row may depend on; the rows themselves are written while it is measured."""


def machine() -> dict[str, Any]:
    """CPUs that this process may use, their model, VNNI or not, and versions."""
    try:
        information = Path("/proc/cpuinfo").read_text()
    except OSError:
        information = ""
    models = [line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("model name")]
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "model": models[0] if models else platform.machine(),
        "vnni": bool({"avx512_vnni", "avx_vnni"} & set(information.split())),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def commit() -> tuple[str | None, bool]:
    """The commit, and whether files that a row may depend on differ from it; (None, True) outside of a repository."""
    found = _git("rev-parse", "HEAD")
    return (found, _git("status", "--porcelain", "--", *WATCHED) != "") if found else (None, True)


def _git(*words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *words]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
