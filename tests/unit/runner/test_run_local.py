"""Runs in this process that go wrong, and what they leave."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from dsray.cli import main
from dsray.parallel.config import ParallelConfig
from dsray.runner.place import local_device

SMALL = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 3, "batch": 32},
}


def start(tmp_path, *words, **sections) -> int:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(SMALL | sections))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "x.yaml"), "--local", "--out", str(tmp_path / "run"), *words])
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch):
    """The command ends the process at once where it failed; here that would be the test's."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))


def status(tmp_path):
    return json.loads((tmp_path / "run" / "status.json").read_text())


def test_a_request_that_only_the_data_can_refuse_leaves_nothing(tmp_path, capsys):
    tasks = [{"name": "a", "classes": ["0"]}, {"name": "b", "column": "image_id", "values": ["0"]}]
    assert start(tmp_path, continual={"tasks": tasks}) == 2
    assert "continual.tasks" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_training_that_diverges_says_so_and_the_record_is_failed(tmp_path, capsys):
    rates = {"schedule": {"kind": "constant", "value": 1e30}}
    assert start(tmp_path, train={**SMALL["train"], "steps": 20, "rates": rates}) == 1
    assert "training diverged at step" in capsys.readouterr().err
    found = status(tmp_path)
    assert found["state"] == "failed" and found["steps"] == {"train": "failed"}
    assert "training diverged" in (tmp_path / "run" / "report.html").read_text()


def test_a_stage_that_a_policy_ends_is_said_on_the_console(tmp_path, capsys):
    policies = [{"kind": "reach", "metric": "loss", "value": 100}]
    assert start(tmp_path, train={**SMALL["train"], "policies": policies}) == 0
    assert "\n  clean stopped at step 1: loss reached 100\n" in capsys.readouterr().out


def test_a_gate_that_fails_leaves_the_report_of_what_was_done(tmp_path, capsys, monkeypatch):
    import dsray.compress.compress as compress

    monkeypatch.setattr(compress, "lost_points", lambda *_: 50.0)
    assert start(tmp_path, compress={"max_loss_points": 1}) == 1
    assert "compress.max_loss_points" in capsys.readouterr().err
    assert status(tmp_path)["steps"] == {"train": "done", "evaluate": "done", "compress": "failed"}
    assert "failed" in (tmp_path / "run" / "report.html").read_text()
    assert not (tmp_path / "run" / "compressed").exists()


@pytest.mark.parametrize("lost", ["model", "model/model.safetensors"])
def test_a_model_that_was_lost_comes_back_from_its_checkpoint(tmp_path, lost):
    assert start(tmp_path) == 0
    before = (tmp_path / "run" / "metrics.json").read_text()
    path = tmp_path / "run" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert start(tmp_path, "--resume") == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    assert (tmp_path / "run" / "metrics.json").read_text() == before


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (["model/model.safetensors"], "model; the training goes on from step-000006"),
        (
            ["model/training.json", "checkpoints/step-000006/state.safetensors"],
            "checkpoints/step-000006, OUT/model; the training goes on from step-000004",
        ),
        (
            ["model/sums.json", "checkpoints/step-000006/state.json", "checkpoints/step-000004/sums.json"],
            "step-000004, OUT/model; the training begins anew: there is no sound checkpoint",
        ),
    ],
)
def test_damage_is_passed_over_and_said_and_the_figures_come_back(tmp_path, capsys, damaged, said):
    train = {**SMALL["train"], "steps": 6, "checkpoint_every": 2}
    assert start(tmp_path, train=train) == 0
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    for name in damaged:
        flip(tmp_path / "run" / name)
    capsys.readouterr()
    assert start(tmp_path, "--resume", train=train) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if "damaged" in line]
    assert len(printed) == 1 and printed[0].startswith("damaged, and passed over: ")
    assert printed[0].endswith(said.replace("OUT", str(tmp_path / "run")))
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


def test_the_module_is_the_command():
    import subprocess
    import sys

    for module in ("dsray", "dsray.cli"):
        done = subprocess.run([sys.executable, "-m", module, "run"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "EXPERIMENT" in done.stderr.upper()


def test_a_gpu_that_is_not_there(tmp_path, capsys):
    assert start(tmp_path, "parallel.device=cuda") == 2
    assert "parallel.device: cuda needs a GPU" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "there", "used"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_where_a_local_run_trains(monkeypatch, asked, there, used):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    assert local_device(ParallelConfig(device=asked)) == used


def test_what_is_trained_needs_no_gpu_any_more(tmp_path, capsys):
    """A record of another machine is finished here; only training insists on `device: cuda`."""
    assert start(tmp_path) == 0
    run = tmp_path / "run"
    text = (run / "experiment.yaml").read_text()
    assert text.count("device: auto") == 1
    (run / "experiment.yaml").write_text(text.replace("device: auto", "device: cuda"))
    (run / "sums.json").unlink()
    (run / "status.json").write_text(json.dumps({"state": "running", "steps": {"train": "running"}}))
    assert start(tmp_path, "parallel.device=cuda", "--resume") == 0
    shutil.rmtree(run / "model")
    shutil.rmtree(run / "checkpoints")
    assert start(tmp_path, "parallel.device=cuda", "--resume") == 2
    assert "parallel.device: cuda needs a GPU" in capsys.readouterr().err


JUDGE = {"rows": 20, "curve": [], "attacks": [{"kind": "pgd", "steps": 1}]}


def attack(tmp_path, *words) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["attack", str(tmp_path / "run"), "--local", *words])
    return int(ended.value.code or 0)


def test_another_judgement_stands_beside_that_of_the_experiment(tmp_path):
    assert start(tmp_path, adversarial={"judge": JUDGE}) == 0
    run = tmp_path / "run"
    before = (run / "metrics.json").read_text()
    assert attack(tmp_path, "judge.epsilon=0.01", "judge.rows=30") == 0
    assert attack(tmp_path) == 0
    assert attack(tmp_path, "judge.curve=[0.02]") == 0
    assert attack(tmp_path, "judge.epsilon=0.01", "judge.rows=30") == 0
    assert (run / "metrics.json").read_text() == before
    found = json.loads((run / "judgements.json").read_text())
    assert [(j["epsilon"], j["rows"], j["own"]) for j in found] == [(0.1, 20, True), (0.01, 30, False)]
    assert found[0]["robust_accuracy"] == json.loads(before)["robust_accuracy"]
    report = (run / "report.html").read_text()
    assert "under attack, epsilon 0.1, 20 rows" in report and "under attack, epsilon 0.01, 30 rows" in report


def test_a_judgement_that_no_experiment_names_is_no_figure_of_it(tmp_path):
    assert start(tmp_path) == 0
    before = (tmp_path / "run" / "metrics.json").read_text()
    assert attack(tmp_path, "judge.rows=20", "judge.attacks=[fgsm]", "judge.curve=[]") == 0
    assert (tmp_path / "run" / "metrics.json").read_text() == before
    assert "under attack, epsilon 0.1, 20 rows" in (tmp_path / "run" / "report.html").read_text()


def test_the_default_judgement_of_an_experiment_that_names_none_is_no_figure_of_it(tmp_path, capsys):
    assert start(tmp_path) == 0
    before = (tmp_path / "run" / "metrics.json").read_text()
    assert attack(tmp_path) == 0
    assert (tmp_path / "run" / "metrics.json").read_text() == before
    assert "the experiment names no judgement" in " ".join(capsys.readouterr().out.split())
    assert "under attack, epsilon 0.1, 300 rows" in (tmp_path / "run" / "report.html").read_text()
