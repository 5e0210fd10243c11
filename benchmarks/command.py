"""The quickstart as its user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dsray.base import RunFailure
from dsray.record import Record

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "jobs" / "experiments" / "quickstart.yaml"


def run_quickstart(seed: int, out: Path) -> Record:
    """The command itself, in a process of its own: seconds as a user sees them. RunFailure where it does not end well."""
    command = [sys.executable, "-m", "dsray", "run", str(QUICKSTART), f"seed={seed}", "--out", str(out)]
    status = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
    if status:
        raise RunFailure(f"benchmark: {' '.join(command[1:])} ended with status {status}; the rows before it are kept")
    return Record.open(out)
