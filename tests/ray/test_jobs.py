"""A real job on a real local cluster, submitted as a user does."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ["bash", str(ROOT / "clusters" / "local.sh")]
pytestmark = [pytest.mark.ray, pytest.mark.e2e]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def mentions(word: str) -> list[str]:
    """Command lines of running processes that name `word`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DSRAY_"))},
        "HOME": str(tmp_path_factory.mktemp("user") / "home"),
        "DSRAY_DASHBOARD_PORT": str(free_port()),
        "DSRAY_GCS_PORT": str(free_port()),
    }


@pytest.fixture(scope="module")
def cluster(environment):
    home = Path(environment["HOME"])
    home.mkdir()
    started = subprocess.run([*SCRIPT, "start"], env=environment, capture_output=True, text=True, timeout=150)
    assert started.returncode == 0, started.stderr
    yield started.stdout
    stopped = subprocess.run([*SCRIPT, "stop"], env=environment, capture_output=True, text=True, timeout=60)
    assert stopped.returncode == 0, stopped.stderr
    assert mentions(f"dsray-{environment['DSRAY_GCS_PORT']}/") == []
    assert mentions(f":{environment['DSRAY_GCS_PORT']} ") == []
    assert not Path(os.environ.get("TMPDIR", "/tmp"), f"dsray-{environment['DSRAY_GCS_PORT']}").exists()


def test_the_script_says_what_is_wrong(environment):
    status = subprocess.run([*SCRIPT, "status"], env=environment, capture_output=True, text=True, timeout=60)
    assert (status.returncode, status.stdout.strip()) == (1, "not running")
    usage = subprocess.run([*SCRIPT, "begin"], env=environment, capture_output=True, text=True, timeout=60)
    assert (usage.returncode, usage.stderr.strip()) == (
        2,
        "usage: bash clusters/local.sh start | stop | status | submit SCRIPT [ARG ...]",
    )


def test_a_submitted_job_leaves_its_record_outside(cluster, environment):
    home = Path(environment["HOME"])
    token = home / ".dsray" / "cluster" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    printed = cluster.strip().splitlines()[-1].strip()  # the line that a user copies
    assert printed.startswith(f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={token} ")
    short = "train.steps=20 adversarial=null compress=null"
    done = subprocess.run(
        f"{printed} {short}", shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = home / "dsray-runs" / "quickstart"
    assert f"record: {record}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert json.loads((record / "status.json").read_text())["state"] == "done"
    assert json.loads((record / "metrics.json").read_text())["steps"] == 20
    assert (record / "report.html").exists()

    status = subprocess.run([*SCRIPT, "status"], env=environment, capture_output=True, text=True, timeout=60)
    assert status.stdout.strip() == f"running on http://127.0.0.1:{environment['DSRAY_DASHBOARD_PORT']}"
    address = f"http://127.0.0.1:{environment['DSRAY_DASHBOARD_PORT']}"
    nameless = subprocess.run(
        [str(Path(sys.executable).parent / "ray"), "job", "list", "--address", address],
        env=environment | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert nameless.returncode != 0


def test_a_job_that_is_wrong_ends_with_one_sentence(environment, tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "jobs/run.py", "jobs/experiments/quickstart.yaml", "train.epoch=3", "--out", str(out)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout.strip() == f"record: {out}"
    assert done.stderr.strip() == "error: train.epoch: unknown key; did you mean 'epochs'?"


def test_a_stopped_job_is_resumed_with_a_plug_in_of_its_package(cluster, environment, tmp_path):
    """`mine.signs` exists only in the folder that is submitted."""
    package, record = tmp_path / "package", Path(environment["HOME"]) / "dsray-runs" / "stopped"
    shutil.copytree(ROOT / "jobs", package / "jobs")
    (package / "mine").mkdir()
    plug_in = (ROOT / "CONTRIBUTING.md").read_text().partition("```python\n")[2].partition("```")[0]
    (package / "mine" / "signs.py").write_text(plug_in.replace("signs:SignsConfig", "mine.signs:SignsConfig"))
    words = ["train.steps=20", "train.checkpoint_every=20", "adversarial.stages.0.steps=500", "compress=null"]
    words += ["adversarial.stages.0.attack.kind=mine.signs:SignsConfig", "adversarial.baseline=false"]
    words += ["adversarial.judge.rows=20", "adversarial.judge.attacks=[fgsm]", "adversarial.judge.curve=[]"]
    job = f"python jobs/run.py jobs/experiments/quickstart.yaml {shlex.join(words)} --out stopped"

    def ray(line: str) -> str:
        address = f"--address http://127.0.0.1:{environment['DSRAY_DASHBOARD_PORT']}"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": f"{environment['HOME']}/.dsray/cluster/token"}
        command = f"{Path(sys.executable).parent}/ray job {line.replace('ADDRESS', address)}"
        done = subprocess.run(
            command, shell=True, cwd=package, env=environment | token, capture_output=True, text=True, timeout=200
        )
        return done.stdout + done.stderr

    ray(f"submit ADDRESS --no-wait --submission-id first --working-dir . -- {job}")
    deadline = time.monotonic() + 120
    while not list(record.glob("checkpoints/step-*")):
        assert time.monotonic() < deadline, ray("logs ADDRESS first")
        time.sleep(0.1)
    ray("stop ADDRESS first")
    assert "interrupted; go on with: dsray run jobs/experiments/quickstart.yaml" in ray("logs ADDRESS first")
    assert json.loads((record / "status.json").read_text())["error"] == "interrupted"
    said = ray(f"submit ADDRESS --working-dir . -- {job} --resume")
    assert json.loads((record / "status.json").read_text())["state"] == "done", said
    assert json.loads((record / "metrics.json").read_text())["steps"] == 520
    assert "mine.signs:SignsConfig" in (record / "experiment.yaml").read_text()
