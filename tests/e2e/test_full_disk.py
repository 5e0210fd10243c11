"""A disk that takes no more under a worker of Ray: the same sentence, and the same figures with room again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commandline import ROOT, environment, metrics

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

PLUGIN = '''
import resource
from pathlib import Path
from typing import Literal
from dsray.augment import OperationConfig

class FullConfig(OperationConfig):
    """Nothing is changed; while the file `full` is there, a process that trains can write only small files."""

    kind: Literal["full:FullConfig"] = "full:FullConfig"

    def make(self, tensors):
        if Path(__file__).with_name("full").exists() and b"RayTrainWorker" in Path("/proc/self/cmdline").read_bytes():
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        return lambda columns, key: columns
'''
EXPERIMENT = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "full:FullConfig"}]},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 20, "batch": 16, "checkpoint_every": 10},
    "parallel": {"max_failures": 0},
}


def dsray(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dsray", "run", str(folder / "x.yaml"), *words]
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        command, cwd=ROOT, env=environment() | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=240
    )


def test_a_worker_that_cannot_write_its_checkpoint(tmp_path):
    (tmp_path / "full.py").write_text(PLUGIN)
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    (tmp_path / "full").touch()
    out = tmp_path / "run"
    done = dsray(tmp_path, "--out", str(out))
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == (
        f"error: {out}/checkpoints/step-000010: File too large; nothing was finished yet; allow larger files, "
        f"then go on with: python -m dsray run {tmp_path}/x.yaml --out {out} --resume\n"
    )
    (tmp_path / "full").unlink()
    for words in (["--out", str(out), "--resume"], ["--out", str(tmp_path / "straight"), "--local"]):
        done = dsray(tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert metrics(out) == metrics(tmp_path / "straight")
