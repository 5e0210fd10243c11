"""What only a GPU can show: its kernels, its bf16 and NCCL. `make test-gpu`, on a machine that has one."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commandline import DSRAY, ROOT, command, environment, losses, run, wait_for
from family import Family

pytestmark = pytest.mark.gpu
CUDA = "parallel.device=cuda"
CLEAN = ("train.steps=40", "adversarial=null", "compress=null", "train.log_every=10")
WHOLE = (CUDA, "train.steps=150")  # long enough to be killed in the middle


@pytest.fixture(scope="module", autouse=True)
def gpu() -> str:
    """The name of the GPU, which the records must bear."""
    import torch

    assert torch.cuda.is_available(), "these tests need a GPU that torch can use"
    return torch.cuda.get_device_name(0)


@pytest.fixture(scope="module")
def on_the_cpu(tmp_path_factory):
    """Losses of a clean training in one process on the CPU."""
    out = tmp_path_factory.mktemp("cpu") / "run"
    run(out, *CLEAN, "parallel.device=cpu", "--local")
    assert device(out) == "cpu"
    return losses(out)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Every phase of the quickstart, cut short, in one process on the GPU."""
    out = tmp_path_factory.mktemp("local") / "run"
    run(out, *WHOLE, "--local")
    return out


def device(out: Path, model: str = "model") -> str:
    return json.loads((out / model / "training.json").read_text())["device"]


def figures(out: Path) -> dict[str, float]:
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.parametrize("place", [["--local"], []], ids=["local", "ray"])
def test_a_clean_training_loses_what_it_loses_on_the_cpu(tmp_path, on_the_cpu, gpu, place):
    run(tmp_path / "run", *CLEAN, CUDA, *place)
    assert device(tmp_path / "run") == gpu
    assert losses(tmp_path / "run") == pytest.approx(on_the_cpu, abs=5e-3)


def test_bf16_learns_as_fp32_does(tmp_path, on_the_cpu, gpu):
    run(tmp_path / "run", *CLEAN, CUDA, "train.precision=bf16")
    assert device(tmp_path / "run") == gpu
    assert losses(tmp_path / "run") == pytest.approx(on_the_cpu, abs=0.05)


def test_a_killed_worker_comes_back_to_the_gpu(tmp_path, local, gpu):
    """The whole chain through Ray, its defended model and its twin on the one GPU."""
    out = tmp_path / "run"
    job = subprocess.Popen(
        command(out, *WHOLE), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    family = Family(job.pid)
    wait_for(out / "history.jsonl", '"kind": "checkpoint", "step": 20')
    family.look()
    assert family.kill("ray::RayTrainWorker") == 1
    time.sleep(1)
    said, _ = job.communicate(timeout=240)
    assert job.returncode == 0, said
    assert device(out) == device(out, "model-undefended") == gpu
    assert figures(out)["test_accuracy"] == pytest.approx(figures(local)["test_accuracy"], abs=0.03)
    assert figures(out)["int8_loss_points"] == pytest.approx(figures(local)["int8_loss_points"], abs=2)


def test_trials_of_a_sweep_share_the_gpu(tmp_path):
    done = subprocess.run(
        [DSRAY, "tune", "jobs/experiments/sweeps/quickstart.yaml", CUDA, "tune.trials=3", "--out", str(tmp_path / "s")],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    trials = pq.read_table(tmp_path / "s/tune/trials.parquet").to_pylist()
    assert len(trials) == 3 and not any(trial["state"] == "failed" for trial in trials)


@pytest.mark.gpu(2)
@pytest.mark.parametrize("processes", ["parallel.workers=2", "parallel.pipeline=2"])
def test_two_gpus_learn_what_one_cpu_does(tmp_path, on_the_cpu, gpu, processes):
    run(tmp_path / "run", *CLEAN, CUDA, processes)
    assert device(tmp_path / "run") == gpu
    assert losses(tmp_path / "run") == pytest.approx(on_the_cpu, abs=5e-3)
