"""A model of one's own encoders: what cannot be kept or exported is refused before a step is trained."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from dsray.cli import main
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.record import Record
from dsray.runner.files import TrainingFiles
from dsray.runner.training import train as train_model

TREE = {
    "data": {"source": "digits"},
    "model": {
        "width": 16,
        "encoders": {"image": {"kind": "foreign:WavesConfig", "width": 16}, "text": {"kind": "tokens", "width": 16}},
        "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None},
        "depth": "full",
    },
    "train": {"steps": 3, "batch": 32},
    "compress": {"max_loss_points": 100, "max_adversarial_loss_points": 100, "calibration_rows": 16},
}


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))


def start(tmp_path, *words, kind="WavesConfig", **fields) -> int:
    tree = json.loads(json.dumps(TREE))
    tree["model"]["encoders"]["image"] |= {"kind": f"foreign:{kind}", **fields}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "x.yaml"), "--local", "--out", str(tmp_path / "run"), *words])
    return int(ended.value.code or 0)


def test_a_buffer_that_is_not_saved_is_there_when_the_model_comes_back(tmp_path):
    assert start(tmp_path) == 0
    record = Record.open(tmp_path / "run")
    assert record.status["state"] == "done" and "int8_accuracy" in record.metrics
    model = load_model(record.path / "model", trust=True)[0]
    waves = model.encoders["image"].waves
    assert not waves.is_meta and waves.abs().sum() > 1
    assert "encoders.image.waves" not in model.state_dict()
    before = (record.path / "metrics.json").read_text()
    with pytest.raises(SystemExit) as ended:
        main(["compress", str(record.path), "--local", "--trust"])
    assert not ended.value.code
    assert (record.path / "metrics.json").read_text() == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            "EagerConfig",
            "model: with EagerConfig it cannot be built on the meta device; its build makes the module only",
        ),
        ("ForgetfulConfig", "model: with ForgetfulConfig it does not come back from disk as it was"),
        ("GrowingConfig", "model: with GrowingConfig it does not come back from disk as it was"),
        ("DriftingConfig", "it answers otherwise; what it needs is neither a parameter, nor a saved buffer"),
        ("UnteachableConfig", "it cannot be trained (ValueError: this encoder is for answers only)"),
        ("OpaqueConfig", "model: with OpaqueConfig it cannot be exported"),
    ],
)
def test_what_would_fail_after_training_is_refused_before_it(tmp_path, capsys, kind, words):
    assert start(tmp_path, kind=kind) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_not_compressed_need_not_be_exportable(tmp_path):
    assert start(tmp_path, "compress=null", kind="OpaqueConfig") == 0


def test_weights_are_brought_once_where_a_training_begins(tmp_path, digits):
    """Neither when it goes on nor when the model is read back: what it has learnt would be lost."""
    encoders = {"image": {"kind": "foreign:WavesConfig", "start": 0.5}}

    def trained(folder: str, rate: float) -> torch.Tensor:
        rates = {"schedule": {"kind": "constant", "value": rate}}
        tree = {**TREE, "model": {**TREE["model"], "encoders": encoders}, "train": {"steps": 2, "rates": rates}}
        experiment, files = Experiment.parse(tree), TrainingFiles(tmp_path / folder)
        worker = LocalWorker(digits, experiment.augment, seed=0, folder=files.folder)
        return train_model(experiment, worker, files=files).encoders["image"].embed.weight.detach().clone()

    assert (trained("still", 0.0) == 0.5).all()
    learnt = trained("run", 0.1)
    assert not (learnt == 0.5).any()
    assert torch.equal(trained("run", 0.1), learnt)  # from the last checkpoint: nothing is left to do
    read_back = load_model(tmp_path / "run" / "model", trust=True)[0]
    assert torch.equal(read_back.encoders["image"].embed.weight, learnt)
