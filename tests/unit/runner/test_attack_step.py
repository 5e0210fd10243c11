"""The judgement of a run: a curve with each radius once, and the rows of each point."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsray.attacks import FgsmConfig, judge_curve
from dsray.engine import JudgeConfig
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.record.cautions import of_judgement
from dsray.record.judgements import kept
from dsray.runner.attack import attack_step
from dsray.runner.figures import batches
from dsray.runner.judge import judged_rows, threat_of
from dsray.runner.place import ThisProcess
from dsray.targets.names import UNKNOWN


@pytest.fixture(scope="module")
def model(digits):
    torch.manual_seed(0)
    return Experiment.parse({"data": {"source": "digits"}, "model": {}}).model.build(digits.schema).eval()


@pytest.mark.parametrize(
    ("epsilon", "curve", "expected"),
    [
        (0.1, (0.0, 0.05, 0.05, 0.1, 0.2), [(0.0, 20), (0.05, 8), (0.1, 20), (0.2, 8)]),
        (0.0, (0.0, 0.05), [(0.0, 20), (0.05, 8)]),
    ],
)
def test_the_curve_has_each_radius_once_and_says_its_rows(digits, model, tmp_path, epsilon, curve, expected):
    judge = JudgeConfig(epsilon=epsilon, rows=20, curve=curve, curve_rows=8, attacks=(FgsmConfig(),))
    models = {"": model, "_undefended": model}
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    report = attack_step(record, digits, judge, 0, models, ThisProcess())
    assert [(point["epsilon"], point["rows"]) for point in report["curve"]] == expected
    assert report["curve"][0]["robust_accuracy"] == report["clean_accuracy"]
    assert report["rows"] == 20
    for point in report["curve"]:
        assert point["robust_accuracy"] == point["robust_accuracy_undefended"]


def test_a_curve_of_any_model_has_each_radius_once(digits, model):
    parts = list(batches(digits, judged_rows(digits, "test", 12, threat_of(JudgeConfig(), digits))))
    found = judge_curve(model, parts, [FgsmConfig()], [0.1, 0.0, 0.1])
    assert [(point["epsilon"], point["rows"]) for point in found] == [(0.1, 12), (0.0, 12)]


def test_rows_that_say_little_are_counted_in_the_judgement(digits, model, tmp_path):
    rows = judged_rows(digits, "test", 20, threat_of(JudgeConfig(), digits))
    there, target = digits.columns["present.image"].copy(), digits.columns["target"].copy()
    there[rows[:4]], target[rows[4:7]] = False, UNKNOWN
    data = replace(digits, columns={**digits.columns, "present.image": there, "target": target})
    judge = JudgeConfig(rows=20, curve=(), curve_rows=20, attacks=(FgsmConfig(),))
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    report = attack_step(record, data, judge, 0, {"": model}, ThisProcess())
    counts = {name: report[f"robust_rows_{name}"] for name in ("unknown", "without_image", "without_gradient")}
    assert counts == {"unknown": 3, "without_image": 4, "without_gradient": 0}
    assert report["robust_accuracy"] == pytest.approx(report["robust_accuracy_known"] * 17 / 20)
    assert record.metrics == {name: report[name] for name in kept(report)}
    assert len(record.metrics) == 6
    said = list(of_judgement(report))
    assert said[0].startswith(
        "3 of the 20 judged rows are of a class that the training rows do not have and count as wrong"
    )
    assert said[1:] == ["4 of the 20 judged rows have no image to move and are judged as they stand"]
    blind = {**report, "robust_rows_without_gradient": 2, "robust_rows_climbed": 13}
    blind |= {"robust_rows_without_gradient_undefended": 1, "robust_rows_climbed_undefended": 12}
    assert [words.partition(" (")[0] for words in list(of_judgement(blind))[2:]] == [
        "2 of 13 rows that attacks climbed had no gradient",
        "undefended model: 1 of 12 rows that attacks climbed had no gradient",
    ]
