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


def shell(line: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    return done.stdout + done.stderr


def test_the_cluster_answers_to_its_token_alone(cluster, environment):
    token = Path(environment["HOME"]) / ".dsray" / "cluster" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    status = subprocess.run([*SCRIPT, "status"], env=environment, capture_output=True, text=True, timeout=60)
    address = f"http://127.0.0.1:{environment['DSRAY_DASHBOARD_PORT']}"
    assert status.stdout.strip() == f"running on {address}"
    nameless = subprocess.run(
        [str(Path(sys.executable).parent / "ray"), "job", "list", "--address", address],
        env=environment | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert nameless.returncode != 0


def test_a_job_is_submitted_stopped_and_resumed(cluster, environment, tmp_path):
    """Its record lies outside the package folder, and `mine.signs` exists only in that folder."""
    package, record = tmp_path / "package", Path(environment["HOME"]) / "dsray-runs" / "quickstart"
    shutil.copytree(ROOT / "jobs", package / "jobs")
    (package / "mine").mkdir()
    plug_in = (ROOT / "CONTRIBUTING.md").read_text().partition("```python\n")[2].partition("```")[0]
    (package / "mine" / "signs.py").write_text(plug_in.replace("signs:SignsConfig", "mine.signs:SignsConfig"))
    printed = cluster.strip().splitlines()[-1].strip()  # the line that a user copies
    words = ["train.steps=20", "train.checkpoint_every=20", "adversarial.stages.0.steps=250", "compress=null"]
    words += ["adversarial.stages.0.attack.kind=mine.signs:SignsConfig", "adversarial.baseline=false"]
    words += ["adversarial.judge.rows=20", "adversarial.judge.attacks=[fgsm]", "adversarial.judge.curve=[]"]
    job = f"{printed} {shlex.join(words)}"

    def ask(verb: str) -> str:
        before, _, after = printed.partition(" job submit ")
        return shell(f"{before} job {verb} {after.partition(' --working-dir')[0]} first", environment, package)

    shell(job.replace(" submit ", " submit --no-wait --submission-id first "), environment, package)
    deadline = time.monotonic() + 120
    while not list(record.glob("checkpoints/step-*")):
        assert time.monotonic() < deadline, ask("logs")
        time.sleep(0.1)
    ask("stop")
    log = ask("logs")
    assert f"record: {record}" in log
    assert "interrupted; go on with: dsray run jobs/experiments/quickstart.yaml" in log
    assert json.loads((record / "status.json").read_text())["state"] == "interrupted"

    said = shell(f"{job} --resume", environment, package)
    assert f"record: {record}" in said
    assert "Traceback" not in said
    assert json.loads((record / "status.json").read_text())["state"] == "done", said
    assert json.loads((record / "metrics.json").read_text())["steps"] == 270
    assert "mine.signs:SignsConfig" in (record / "experiment.yaml").read_text()
    assert (record / "report.html").exists()


def test_a_job_that_is_wrong_ends_with_one_sentence(environment, tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "jobs/run.py", "jobs/experiments/quickstart.yaml", "train.epoch=3", "--out", str(out)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout.strip() == f"record: {out}"
    assert done.stderr.strip() == "error: train.epoch: unknown key; did you mean 'epochs'?"
