"""`dsray run` as a user types it: the quickstart cut short, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from family import Family

ROOT = Path(__file__).parents[1]
DSRAY = str(Path(sys.executable).parent / "dsray")
SHORT = [
    "train.steps=60",
    "adversarial.stages.0.steps=30",
    "adversarial.judge.rows=75",
    "adversarial.judge.attacks.1.queries=20",
    "adversarial.judge.curve=[]",
    "train.validate_every=30",
    "train.checkpoint_every=20",
    "compress.max_loss_points=100",
    "compress.max_adversarial_loss_points=100",
]


def command(out: Path, *words: str) -> list[str]:
    return [DSRAY, "run", "jobs/experiments/quickstart.yaml", *SHORT, "--out", str(out), *words]


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}


def run(out: Path, *words: str) -> tuple[str, Family]:
    """What it printed, and the processes it had."""
    job = subprocess.Popen(
        command(out, *words), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    family = Family(job.pid)
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.2):
            family.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        said, _ = job.communicate(timeout=240)
    finally:
        watching.set()
        watcher.join()
    assert job.returncode == 0, said
    return said, family


def wait_for(path: Path, word: str, timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if path.exists() and word in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{word} did not appear in {path}")


def metrics(out: Path) -> str:
    return (out / "metrics.json").read_text()


def losses(out: Path) -> list[float]:
    lines = map(json.loads, (out / "history.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line["kind"] == "step"]
