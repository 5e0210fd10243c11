"""The judgement of a run: a curve with each radius once, and the rows of each point."""

from __future__ import annotations

import pytest
import torch

from dsray.attacks import FgsmConfig, evaluate_curve
from dsray.engine import RobustnessConfig
from dsray.experiment import Experiment
from dsray.judge import batches, judged_rows
from dsray.placement import LocalPlacement
from dsray.report import Record
from dsray.steps.attack import attack_step


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
    judge = RobustnessConfig(epsilon=epsilon, rows=20, curve=curve, curve_rows=8, attacks=(FgsmConfig(),))
    models = {"": model, "_undefended": model}
    record = Record.create_at(tmp_path / "run", "name: x\n", {})
    report = attack_step(record, digits, judge, 0, models, LocalPlacement())
    assert [(point["epsilon"], point["rows"]) for point in report["curve"]] == expected
    assert report["curve"][0]["robust_accuracy"] == report["clean_accuracy"]
    assert report["rows"] == 20
    for point in report["curve"]:
        assert point["robust_accuracy"] == point["robust_accuracy_undefended"]


def test_a_curve_of_any_model_has_each_radius_once(digits, model):
    parts = list(batches(digits, judged_rows(digits, "test", 12)))
    found = evaluate_curve(model, parts, [FgsmConfig()], [0.1, 0.0, 0.1])
    assert [(point["epsilon"], point["rows"]) for point in found] == [(0.1, 12), (0.0, 12)]
