"""The quickstart as its user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dsray.record import Record

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "jobs" / "experiments" / "quickstart.yaml"


def run_quickstart(seed: int, out: Path) -> Record:
    """The command itself, in a process of its own: seconds as a user sees them."""
    command = [sys.executable, "-m", "dsray", "run", str(QUICKSTART), f"seed={seed}", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return Record.open(out)
