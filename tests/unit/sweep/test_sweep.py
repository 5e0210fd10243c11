"""A wrong sweep is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dsray.base import RequestError
from dsray.experiment import Experiment
from dsray.verbs.tune import tune_experiment

SPACE = {"train.batch": {"kind": "int", "low": 16, "high": 128}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tune": None}, "tune: the experiment has no such section"),
        ({"tune": {"space": SPACE, "concurrent": 1000}}, "tune.concurrent: 1000 trials of 1 threads need as many CPUs"),
        ({"tune": {"space": {"train.stpes": SPACE["train.batch"]}}}, "'train.stpes' is not in the experiment"),
        ({"tune": {"space": SPACE, "objective": "val_robust_accuracy"}}, "tune.objective: val_robust_accuracy needs"),
        ({"tune": {"space": SPACE}, "parallel": {"workers": 2}}, "parallel: a trial trains in one process"),
    ],
)
def test_it_leaves_no_record(tmp_path: Path, changes: dict[str, Any], words: str):
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}, **changes})
    with pytest.raises(RequestError) as refused:
        start(experiment, tmp_path / "sweep")
    assert words in str(refused.value)
    assert not (tmp_path / "sweep").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}, "tune": {"space": SPACE}})
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="out: cannot write beside the record in"):
        start(experiment, tmp_path / "file" / "sweep")


def start(experiment: Experiment, out: Path) -> None:
    tune_experiment(experiment, out=out, resume=False, console=Console(quiet=True), command=[])
