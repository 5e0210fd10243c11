"""An experiment whose threat is L2: trained, judged, compressed and reported, each in its own units."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from dsray.cli import main
from dsray.engine import AdversarialConfig
from dsray.experiment import Experiment
from dsray.runner.compress import _adversarial
from dsray.runner.place import ThisProcess

L2 = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 3, "batch": 32},
    "adversarial": {
        "stages": [{"steps": 2, "threat": "l2", "epsilon": 1.5, "attack": {"kind": "pgd", "steps": 2}}],
        "judge": {
            "threat": {"kind": "l2", "input": "image"},
            "epsilon": 1.2,
            "rows": 30,
            "curve": [0.4, 2.0],
            "curve_rows": 10,
            "attacks": [{"kind": "pgd", "steps": 3}, {"kind": "random_search", "queries": 3}],
        },
        "baseline": False,
    },
    "compress": {"max_adversarial_loss_points": 100, "max_loss_points": 100},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("l2")
    (folder / "x.yaml").write_text(yaml.safe_dump(L2))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder / "x.yaml"), "--local", "--out", str(folder / "run")])
    assert not ended.value.code
    return folder / "run"


def test_the_record_says_what_was_judged_and_in_which_units(run):
    attack, metrics = (json.loads((run / name).read_text()) for name in ("attack.json", "metrics.json"))
    assert (attack["threat"], attack["input"], attack["epsilon"]) == ("l2", "image", 1.2)
    assert [point["epsilon"] for point in attack["curve"]] == [0.0, 0.4, 1.2, 2.0]
    assert metrics["mean_train_epsilon"] == 1.5 and metrics["robust_rows_without_image"] == 0
    assert 0 <= metrics["robust_accuracy"] <= attack["clean_accuracy"] <= 1
    assert "int8_adversarial_loss_points" in metrics
    report = (run / "report.html").read_text()
    assert "Judged on 30 rows at epsilon 1.2 (L2, in units of input &#39;image&#39;)." in report
    assert "under attack, epsilon 1.2 in l2, 30 rows" in report


def test_another_threat_is_another_judgement(run, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["attack", str(run), "--local", "judge.threat=linf", "judge.epsilon=0.1", "judge.curve=[]"])
    assert not ended.value.code
    found = json.loads((run / "judgements.json").read_text())
    assert [(j["threat"], j["epsilon"], j["own"]) for j in found] == [("l2", 1.2, True), ("linf", 0.1, False)]
    assert "at epsilon 0.1 on 30 test rows" in capsys.readouterr().out
    report = (run / "report.html").read_text()
    assert "under attack, epsilon 1.2 in l2, 30 rows" in report and "under attack, epsilon 0.1, 30 rows" in report


def test_the_rows_of_the_gate_lie_on_the_l2_ball(digits):
    experiment = Experiment.parse(L2)
    torch.manual_seed(0)
    moved = _adversarial("test", experiment, digits, experiment.model.build(digits.schema), ThisProcess())
    assert moved is not None and len(moved) == 30
    clean = torch.from_numpy(digits.take(moved.rows.numpy())["image"])
    offset = (moved.inputs["image"] - clean).flatten(1)
    assert torch.allclose(offset.norm(dim=1), torch.full((30,), 1.2), atol=1e-3)
    assert float(offset.abs().max(1).values.min()) < 1.2
    assert float(moved.inputs["image"].min()) >= 0 and float(moved.inputs["image"].max()) <= 1


def sentence(ranges, threat, stage=None):
    section = {"judge": {"threat": threat}, "stages": [{"epsilon": 0.1, **stage}] if stage else []}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is what is looked at
        AdversarialConfig.model_validate(section).check_threats(ranges)
    return str(caught.value)


TWO = {"photo": (0.0, 1.0), "scan": (0.0, 1.0), "note": None}


def test_which_of_two_inputs_is_attacked_must_be_said():
    said = "threat.input: is needed, since photo and scan are continuous; name one of them"
    assert sentence(TWO, {"kind": "l2"}) == f"adversarial.judge.{said}"
    assert sentence(TWO, {"kind": "linf", "input": "scan"}, {"threat": "l2"}) == f"adversarial.stages.0.{said}"
    wrong = sentence(TWO, {"kind": "linf", "input": "note"})
    assert wrong == ("adversarial.judge.threat.input: 'note' holds no continuous values to move; valid: photo, scan")
    AdversarialConfig.model_validate({"judge": {"threat": {"kind": "linf", "input": "scan"}}}).check_threats(TWO)


def test_radii_are_held_to_the_range_of_the_input_that_is_named():
    wide = {"photo": (0.0, 1.0), "wave": (-2.0, 2.0)}
    AdversarialConfig.model_validate(
        {"judge": {"threat": {"kind": "linf", "input": "wave"}, "epsilon": 3.5}}
    ).check_threats(wide)
    said = sentence(
        wide, {"kind": "linf", "input": "photo"}, {"threat": {"kind": "linf", "input": "wave"}, "epsilon": 5}
    )
    assert said == "adversarial.stages.0.epsilon: 5 is outside the input range [0, 4]; write 5/255 = 0.0196"
    said = sentence(wide, {"kind": "l2", "input": "wave"}, {"threat": {"kind": "l2", "input": "wave"}, "epsilon": -1})
    assert said == "adversarial.stages.0.epsilon: -1 is negative; a radius is 0 or more"


def test_an_l2_radius_beyond_every_row_is_refused_before_the_training(tmp_path, capsys):
    tree = {**L2, "adversarial": {**L2["adversarial"], "judge": {"threat": "l2", "epsilon": 9}}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "x.yaml")])
    assert ended.value.code == 2
    assert (
        "adversarial.judge.epsilon: must be a Euclidean distance in input-range units, 0 to 8; got 9"
        in capsys.readouterr().err
    )
