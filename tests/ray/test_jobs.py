"""A real job on a real local cluster, submitted as a user does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.ray, pytest.mark.e2e]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        "DSRAY_CLUSTER_HOME": str(tmp_path / "c"),
        "DSRAY_DASHBOARD_PORT": str(free_port()),
        "DSRAY_GCS_PORT": str(free_port()),
        "DSRAY_RUNS": str(tmp_path / "runs"),
    }
    script = ["bash", str(ROOT / "clusters" / "local.sh")]
    started = subprocess.run([*script, "start"], env=environment, capture_output=True, text=True, timeout=120)
    assert started.returncode == 0, started.stderr
    yield environment, started.stdout
    stopped = subprocess.run([*script, "stop"], env=environment, capture_output=True, text=True, timeout=60)
    assert stopped.returncode == 0, stopped.stderr
    left = subprocess.run(
        ["pgrep", "-f", f"gcs.*{environment['DSRAY_GCS_PORT']}"], capture_output=True, text=True
    ).stdout
    assert not left


def test_a_submitted_job_leaves_its_record_outside(cluster, tmp_path):
    environment, said = cluster
    assert "job submit" in said
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "c" / "token")}
    address = f"http://127.0.0.1:{environment['DSRAY_DASHBOARD_PORT']}"
    short = ["train.steps=20", "adversarial=null", "compress=null"]
    runtime = json.dumps({"env_vars": {"DSRAY_RUNS": environment["DSRAY_RUNS"]}})
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ray"), "job", "submit", "--address", address, "--working-dir", ".",
         "--runtime-env-json", runtime, "--", sys.executable, "jobs/run.py", "jobs/experiments/quickstart.yaml", *short],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = tmp_path / "runs" / "quickstart"
    assert f"record: {record}" in done.stdout
    assert json.loads((record / "status.json").read_text())["state"] == "done"
    assert json.loads((record / "metrics.json").read_text())["steps"] == 20
    assert (record / "report.html").exists()
