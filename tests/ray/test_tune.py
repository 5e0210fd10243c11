"""Sweeps on Ray Tune: killed and resumed, best.yaml exact, failures told, halving that spares the own settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import yaml

from dsray.data.sources.digits import DigitsConfig

pytestmark = [pytest.mark.ray, pytest.mark.e2e]
TRIALS = 3
COMMAND = [sys.executable, "-c", "from dsray.cli import main; main()"]


def experiment(folder: Path, **train) -> Path:
    """A file whose trials take a second or two each, on Parquet files that it names relative to `folder`."""
    for split, table in DigitsConfig().tables().items():
        pq.write_table(table, folder / f"{split}.parquet")
    tree = {
        "name": "tiny",
        "data": {
            "source": {"kind": "parquet", "train": "train.parquet", "test": "./test.parquet"},
            **DigitsConfig().columns(),
        },
        "model": {"width": 16},
        "train": {"steps": 24, "validate_every": 6, "batch": 32, **train},
        "adversarial": {
            "baseline": False,
            "stages": [{"steps": 6, "attack": "fgsm", "epsilon": 0.1}],
            "judge": {"rows": 60, "attacks": [{"kind": "pgd", "steps": 2}], "curve": []},
        },
        "tune": {
            "trials": TRIALS,
            "grace": 4,
            "space": {
                "adversarial.stages.0.epsilon": {"kind": "epsilon_schedule"},
                "train.rates.layers": {"kind": "layer_learning_rates", "groups": ["encoders", "trunk", "head"]},
            },
        },
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def dsray(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=240, env=environment(cwd)
    )


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}"}


def ended(journal: Path) -> int:
    """Trials that the journal says have ended."""
    if not journal.exists():
        return 0
    lines = [line for line in journal.read_text().split("\n") if line]
    return sum('"op_code":6' in line and '"state":0' not in line for line in lines)


def rows(record: Path) -> list[dict]:
    return pq.read_table(record / "tune/trials.parquet").to_pylist()


def test_a_sweep_killed_in_the_middle_goes_on_and_its_best_is_exact(tmp_path: Path):
    path, record = experiment(tmp_path), tmp_path / "sweep"
    driver = subprocess.Popen(
        [*COMMAND, "tune", str(path), "--out", str(record)],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
    )
    journal = record / "tune/study.journal"
    limit = time.monotonic() + 120
    while ended(journal) == 0 and driver.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = finished_in(record, path)
    assert 1 <= len(before) < TRIALS

    resumed = dsray("tune", path, "--out", record, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{len(before)} of {TRIALS} trials are finished already" in resumed.stdout
    assert resumed.stderr == ""
    after = {row["trial"]: row["value"] for row in rows(record)}
    assert list(after) == list(range(TRIALS))
    assert {number: after[number] for number in before} == before
    assert journal.read_text().count('"op_code":4,') == TRIALS  # none was created a second time

    summary = json.loads((record / "tune/summary.json").read_text())
    assert summary["best_value"] == max(v for v in after.values() if v is not None)
    again = dsray("run", record / "tune/best.yaml", "--out", tmp_path / "again", "--local", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    metrics = json.loads((tmp_path / "again/metrics.json").read_text())
    assert metrics["val_balanced_robustness"] == summary["best_value"]

    changed = dsray("tune", path, "tune.seed=1", "--out", record, "--resume", cwd=tmp_path)
    assert changed.returncode == 2 and "tune.seed: changed from 0 to 1" in changed.stderr


def finished_in(record: Path, path: Path) -> dict[int, float | None]:
    """Number -> value of the trials that a killed sweep had finished; one that was stopped early has none."""
    from dsray.experiment import Experiment
    from dsray.sweep.results import trials_table
    from dsray.sweep.study import Study

    table = trials_table(Study(record / "tune", Experiment.load(path)).ended)
    return {row["trial"]: row["value"] for row in table.to_pylist()}


def test_without_a_successful_trial_the_first_reason_is_told(tmp_path: Path):
    (tmp_path / "broken.py").write_text(
        "from dsray.optim.optimizer import OptimizerConfig\n\n\n"
        "class Broken(OptimizerConfig):\n"
        "    kind: str = 'broken:Broken'\n\n"
        "    def make(self, groups):\n"
        "        raise RuntimeError('no such device')\n"
    )
    path = experiment(tmp_path, optimizer={"kind": "broken:Broken"})
    failed = dsray("tune", path, "tune.trials=2", "--out", tmp_path / "sweep", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr == "error: tune: no trial succeeded; the first said: RuntimeError: no such device\n"
    status = json.loads((tmp_path / "sweep/status.json").read_text())
    assert status["state"] == "failed" and "no such device" in status["error"]


def test_halving_stops_the_worse_half_at_a_rung_but_never_the_own_settings():
    from dsray.runtime.tune import Halving

    scheduler = Halving(grace=2, reduction=2, past={7: {1: 0.1, 2: 0.6}, 8: {1: 0.1, 2: 0.8}})

    def decide(number: int, rung: int, score: float) -> str:
        trial = SimpleNamespace(trial_id=f"trial-{number}", config={"number": number})
        scheduler._trial_info.setdefault(trial.trial_id, scheduler._brackets[0])
        return scheduler.on_trial_result(None, trial, {"rung": rung, "score": score})

    assert decide(9, 1, 0.0) == "CONTINUE"  # before the first rung
    assert decide(9, 2, 0.65) == "STOP"  # the median of the past is 0.7
    assert decide(10, 2, 0.75) == "CONTINUE"
    assert decide(0, 2, 0.2) == "CONTINUE"
    assert decide(0, 100_000, 0.2) == "STOP"  # it is done
