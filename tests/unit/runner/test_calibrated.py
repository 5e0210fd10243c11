"""What is chosen on validation rows: for the model and for its integer form, each by its own answers, kept with each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsray.cli import main

SMALL = {
    "data": {"source": "digits", "target": {"column": "digit", "abstain": {"coverage": 0.9}}},
    "model": {
        "width": 16,
        "trunk": {"blocks": 2, "hidden": 16, "heads": 2, "experts": None},
        "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.3},
    },
    "train": {"steps": 10, "batch": 32, "threads": 1},
    "compress": {"max_loss_points": 100, "max_adversarial_loss_points": 100},
}


def _target(path: Path) -> Any:
    return json.loads(path.read_text())["schema"]["target"]


def test_a_model_and_its_integer_form_have_thresholds_of_their_own_answers(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "x.yaml"), "--local", "--out", str(tmp_path / "run")])
    assert not ended.value.code
    learnt = json.loads((tmp_path / "run" / "schema.json").read_text())["target"]
    own, int8 = (_target(tmp_path / "run" / name) for name in ("model/model.json", "compressed/manifest.json"))
    assert learnt["working_point"] is None
    assert {**own, "working_point": None} == learnt == {**int8, "working_point": None}
    assert own["working_point"]["coverage"] == pytest.approx(0.9, abs=0.01)
    assert own["working_point"]["threshold"] != int8["working_point"]["threshold"]


def test_too_few_validation_rows_to_choose_by_are_refused_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"source": "digits", "target": {"column": "digit", "abstain": {"coverage": 0.999}}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(SMALL | {"data": data}))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "x.yaml"), "--local", "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    assert "data.target.abstain.coverage" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
