"""A refusal at 95 % coverage is held on test rows, by the model and by its integer form, and what is answered is righter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from dsray.cli import main
from dsray.record import Record

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[4] / "shared" / "data"))
INPUTS = {
    "mnist": {"image": {"kind": "image", "column": "image", "size": 28}},
    "banking77": {"text": {"kind": "text", "column": "text"}},
}


def _run(name: str, train_rows: int, steps: int, folder: Path) -> Record:
    """Trained on some rows of a set, a quarter of them for validation; judged on at most 4,000 test rows."""
    for split, most in (("train", train_rows), ("test", 4000)):
        table = pq.read_table(DATA / name / f"{split}.parquet")
        table = table.take(np.random.default_rng(0).permutation(len(table))[:most])
        pq.write_table(table, folder / f"{split}.parquet")
    source = {"kind": "parquet", "train": str(folder / "train.parquet"), "test": str(folder / "test.parquet")}
    experiment = {
        "data": {
            "source": source,
            "inputs": INPUTS[name],
            "target": {"column": "label", "abstain": {"coverage": 0.95}},
            "validation": 0.25,
        },
        "model": {
            "width": 32,
            "trunk": {"blocks": 2, "hidden": 32, "heads": 2, "experts": None},
            "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.95},
        },
        "train": {"steps": steps, "batch": 64, "threads": 1},
        "compress": {"max_loss_points": 10, "max_adversarial_loss_points": 100, "calibration_rows": 128},
    }
    (folder / "x.yaml").write_text(yaml.safe_dump(experiment))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder / "x.yaml"), "--local", "--out", str(folder / "run")])
    assert not ended.value.code
    return Record.open(folder / "run")


def _held(metrics: dict[str, float]) -> None:
    for model in ("test", "int8"):
        assert abs(metrics[f"{model}_coverage"] - 0.95) < 0.02
        assert metrics[f"{model}_accuracy_answered"] > metrics[f"{model}_accuracy"] + 0.005
    assert metrics["test_aurc"] < 1 - metrics["test_accuracy"]


@pytest.mark.data("mnist")
def test_on_handwritten_digits(tmp_path: Path) -> None:
    _held(_run("mnist", 8000, 120, tmp_path).metrics)


@pytest.mark.data("banking77")
def test_on_questions_to_a_bank(tmp_path: Path) -> None:
    _held(_run("banking77", 8000, 250, tmp_path).metrics)
