"""The study on a real journal: what a killed sweep finds again."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.base.noise import VERSION
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.sweep.results import write_results
from dsray.sweep.study import Study

LAYERS = "train.rates.layers"
PEAK = "train.rates.schedule.peak_value"


@pytest.fixture
def sweep() -> Experiment:
    space = {
        LAYERS: {"kind": "layer_learning_rates", "groups": ["encoders", "trunk", "head"]},
        PEAK: {"kind": "float", "low": 1e-3, "high": 1e-2, "log": True},
    }
    return Experiment.parse(
        {
            "data": {"source": "digits"},
            "model": {},
            "adversarial": {"stages": [{"steps": 4, "epsilon": {"kind": "linear", "end": 0.1}}]},
            "tune": {"space": space, "trials": 6, "startup_trials": 2},
        }
    )


def run(study: Study, value: float) -> tuple[int, Experiment]:
    number, asked = study.ask()
    study.tell(number, value, seconds=1.0)
    return number, asked


def test_the_own_settings_come_first_and_the_sampler_learns_from_them(tmp_path: Path, sweep: Experiment):
    study = Study(tmp_path, sweep)
    number, asked = run(study, 0.5)
    assert number == 0 and asked == sweep.replace(tune=None)
    assert study.ended[0].params == {f"{LAYERS}.{g}": 1.0 for g in ("encoders", "trunk", "head")} | {PEAK: 3e-3}
    assert study.default_value == 0.5


def test_a_sweep_of_other_noise_is_not_gone_on_with(tmp_path: Path, sweep: Experiment):
    """Its values would not compare with those of new trials."""
    begun = Study(tmp_path, sweep)
    run(begun, 0.5)
    begun._study.set_user_attr("noise", None)  # what a version knew that had one noise only
    with pytest.raises(RequestError, match="noise of another version of dsray"):
        Study(tmp_path, sweep)
    begun._study.set_user_attr("noise", VERSION)
    assert Study(tmp_path, sweep).left() == 5


def test_a_killed_sweep_asks_again_for_what_ran_and_for_nothing_else(tmp_path: Path, sweep: Experiment):
    killed = Study(tmp_path, sweep)
    values = {run(killed, value)[0]: value for value in (0.5, 0.7)}
    running = dict([killed.ask(), killed.ask()])
    killed.report(2, 1, 0.3)

    resumed = Study(tmp_path, sweep)
    assert {t.number: t.value for t in resumed.ended} == values
    assert resumed.left() == 4
    assert dict([resumed.ask(), resumed.ask()]) == running
    resumed.report(2, 1, 0.3)
    for number in running:
        resumed.tell(number, 0.1 * number, seconds=1.0)
    assert [run(resumed, 0.4)[0] for _ in range(2)] == [4, 5]
    assert [t.number for t in resumed.ended] == [0, 1, 2, 3, 4, 5] and resumed.left() == 0
    assert resumed.ended[2].intermediate_values == {1: 0.3}


def test_a_resumed_sweep_draws_what_an_undisturbed_one_would(tmp_path: Path, sweep: Experiment):
    whole = Study(tmp_path / "whole", sweep)
    undisturbed = [run(whole, v)[1] for v in (0.5, 0.7, 0.6, 0.9, 0.2, 0.3)]
    disturbed = []
    for value in (0.5, 0.7, 0.6, 0.9, 0.2, 0.3):
        disturbed.append(run(Study(tmp_path / "killed", sweep), value)[1])
    assert disturbed == undisturbed
    assert len({e.to_yaml() for e in disturbed}) == 6


def test_half_a_line_at_the_end_of_the_journal_is_dropped(tmp_path: Path, sweep: Experiment):
    run(Study(tmp_path, sweep), 0.5)
    with (tmp_path / "study.journal").open("a") as journal:
        journal.write('{"op_code":4,"work')
    resumed = Study(tmp_path, sweep)
    assert run(resumed, 0.6)[0] == 1
    assert [t.value for t in Study(tmp_path, sweep).ended] == [0.5, 0.6]


def test_failed_and_stopped_trials_count_and_never_win(tmp_path: Path, sweep: Experiment):
    study = Study(tmp_path, sweep)
    run(study, 0.5)
    number, _ = study.ask()
    study.report(number, 1, 0.95)
    study.stop(number, seconds=1.0)
    number, _ = study.ask()
    study.fail(number, "RuntimeError: first", 1.0)
    assert study.left() == 3
    assert study.best is not None and study.best.number == 0
    assert study.errors == ["RuntimeError: first"]
    assert study.rungs() == {0: {}, 1: {1: 0.95}}


def test_the_record_of_a_sweep(tmp_path: Path, sweep: Experiment):
    record = Record.create_at(tmp_path / "run", sweep.to_yaml(), {})
    study = Study(record.path / "tune", sweep)
    asked = [run(study, value)[1] for value in (0.5, 0.8, 0.8)]
    number, _ = study.ask()
    study.report(number, 1, 0.25)
    study.stop(number, seconds=2.0)
    write_results(record, study)

    summary = json.loads((record.path / "tune/summary.json").read_text())
    assert (summary["best_trial"], summary["best_value"], summary["default_value"]) == (1, 0.8, 0.5)
    assert [h["best_so_far"] for h in summary["history"]] == [0.5, 0.8, 0.8, 0.8]
    assert summary["epsilon_schedule"]["values"][-1] == pytest.approx(0.1)
    best = Experiment.load(record.path / "tune/best.yaml")
    assert best.replace(name=asked[1].name) == asked[1] and best.tune is None
    rows = pq.read_table(record.path / "tune/trials.parquet").to_pylist()
    assert [r["value"] for r in rows] == [0.5, 0.8, 0.8, None]
    assert [r["state"] for r in rows] == ["complete"] * 3 + ["stopped early"]
    assert rows[3]["last_accuracy"] == 0.25 and rows[0][f"param/{PEAK}"] == 3e-3
