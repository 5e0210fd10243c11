"""`dsray run` as a user types it: through Ray and local, killed, interrupted, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from commandline import DSRAY, ROOT, command, environment, losses, metrics, run, wait_for
from family import Family

from dsray.base.figures import listed

pytestmark = [pytest.mark.e2e, pytest.mark.ray]


def steps_drawn(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars("train/loss")]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "run"
    run(out, "--local")
    return out


@pytest.fixture(scope="module")
def through_ray(tmp_path_factory):
    out = tmp_path_factory.mktemp("ray") / "run"
    return out, *run(out)


def test_ray_and_local_give_the_same_bits(local, through_ray):
    assert metrics(through_ray[0]) == metrics(local)


def test_the_console_is_clean_and_nothing_stays(through_ray):
    _, said, family = through_ray
    for noise in ("Warning", "WARN", "Traceback", "(pid=", "(raylet", "(Train", "INFO"):
        assert noise not in said
    assert "dsray serve" in said
    assert len(family.members) > 5  # Ray's own processes were seen
    assert family.gone_within(3)


def test_the_record_is_whole(through_ray):
    out = through_ray[0]
    assert json.loads((out / "status.json").read_text())["state"] == "done"
    assert ">done<" in (out / "report.html").read_text()
    keys = [key for file in ("metrics.json", "timings.json") for key in json.loads((out / file).read_text())]
    assert len(keys) > 30 and [key for key in keys if listed(key) is None] == []
    names = {p.name for p in out.iterdir()}
    assert {
        "experiment.yaml",
        "manifest.json",
        "metrics.json",
        "timings.json",
        "report.html",
        "history.jsonl",
        "compressed",
        "model",
        "example.json",
    } <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    for folder in (out, out / "undefended"):
        assert steps_drawn(folder) == [1, 20, 40, 60, 61, 80, 90]
    answer = json.loads((out / "answer.json").read_text())["answer"]
    assert 0 < answer["confidence"] <= 1


def test_predict_on_a_file(through_ray, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dsray.data import DataConfig, load_tables

    table = load_tables(DataConfig.model_validate({"source": "digits"}))["test"]
    pq.write_table(table, tmp_path / "test.parquet")
    done = subprocess.run(
        [DSRAY, "predict", str(through_ray[0]), str(tmp_path / "test.parquet"), "--out", str(tmp_path / "p.parquet")],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = pq.read_table(tmp_path / "p.parquet")
    assert len(found) == len(table)
    right = pa.compute.mean(pa.compute.equal(found["prediction"], found["target"]).cast(pa.float64())).as_py()
    assert right == pytest.approx(json.loads(metrics(through_ray[0]))["int8_accuracy"], abs=0.003)


def test_kill_of_the_worker_and_of_the_job(local, tmp_path):
    out = tmp_path / "run"
    job = subprocess.Popen(command(out), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, start_new_session=True)
    family = Family(job.pid)
    wait_for(out / "history.jsonl", '"kind": "checkpoint", "step": 20')
    family.look()
    assert family.kill("ray::RayTrainWorker") == 1
    time.sleep(1)
    wait_for(out / "history.jsonl", '"kind": "checkpoint", "step": 60')
    family.look()
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    run(out, "--resume")  # at once: the worker of the killed run, which outlives it, writes no more
    if not family.gone_within(30):
        family.kill()
    assert metrics(out) == metrics(local)
    assert steps_drawn(out) == steps_drawn(local)
    assert steps_drawn(out / "undefended") == steps_drawn(local / "undefended")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interruption_ends_at_once_and_says_how_to_go_on(tmp_path, sent):
    out = tmp_path / "run"
    job = subprocess.Popen(
        command(out), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(out / "history.jsonl", '"kind": "step"')
    family = Family(job.pid)
    family.look()
    started = time.monotonic()
    job.send_signal(sent)
    said, error = job.communicate(timeout=30)
    assert time.monotonic() - started < 3
    assert job.returncode == 130
    assert (
        error.strip().splitlines()[-1].startswith("interrupted; go on with: dsray run jobs/experiments/quickstart.yaml")
    )
    assert family.gone_within(3)


@pytest.mark.parametrize("processes", ["parallel.workers=2", "parallel.pipeline=2"])
def test_two_processes_learn_what_one_does(tmp_path, processes):
    """Rows shared or the model cut: the same batches give the same losses, up to the rounding of sums."""
    short = ("train.steps=40", "adversarial=null", "compress=null", "train.log_every=10")
    run(tmp_path / "one", *short, "--local")
    _, family = run(tmp_path / "two", *short, processes)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=2e-3)
    assert family.gone_within(3)


def test_a_run_that_began_in_one_process_goes_on_in_two(tmp_path):
    short = ("train.steps=60", "adversarial=null", "compress=null", "train.log_every=10")
    run(tmp_path / "straight", *short, "--local")
    out = tmp_path / "run"
    job = subprocess.Popen(command(out, *short, "--local"), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    wait_for(out / "history.jsonl", '"kind": "checkpoint", "step": 40')  # that of step 20 is committed
    job.kill()
    job.wait()
    run(out, *short, "parallel.workers=2", "--resume")
    assert losses(out) == pytest.approx(losses(tmp_path / "straight"), abs=2e-3)
    stretches = json.loads((out / "manifest.json").read_text())["stretches"]
    assert [found["parallel"]["workers"] for found in stretches] == [1, 2]
    assert stretches[1]["from_step"] in (20, 40, 60)


def test_a_changed_experiment_is_not_resumed(local):
    done = subprocess.run(
        command(local, "train.batch=32", "--resume"), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "train.batch: changed from 64 to 32" in done.stderr
