"""What the quickstart's benchmarks keep of a run, and how they say it, on a constructed record."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import chain, command, quickstart
from benchmarks.chain import Chain
from benchmarks.quickstart import Quickstart
from dsray.base import RunFailure

SWEEP = {"tune_trials": 12, "tune_gain_points": 0.42, "tune_overhead_per_trial_s": 0.61}


@pytest.fixture
def record(construct_record):
    """Twice as fast as torch at batch 1, four times at 32."""
    found = construct_record()
    found.update_timings({"speed/torch/batch1": 0.8, "speed/int8/batch1": 0.4, "speed/onnxruntime_fp32/batch32": 1.5})
    found.update_timings({"speed/torch/batch32": 4.0, "speed/int8/batch32": 1.0})
    attacks = "[{kind: pgd, steps: 20, restarts: 1}, {kind: random_search, queries: 100}]"
    found.write_text(
        "experiment.yaml", f"{found.experiment_text}  judge: {{threat: {{kind: linf}}, attacks: {attacks}}}\n"
    )
    return found


def test_the_quickstart_keeps_what_is_printed(record, monkeypatch):
    monkeypatch.setattr(quickstart, "run_quickstart", lambda seed, out: record)
    figures = Quickstart().measure("seed 0")
    assert figures["metrics"] == record.metrics
    text = Quickstart().table({"seed 0": figures})
    printed = text.split("```")[1].splitlines()[1:]
    assert printed == figures["table"]
    assert printed[0].startswith(f"{record.name}  done in ")
    assert any(line.split()[:1] == ["Accuracy"] for line in printed)
    assert max(map(len, printed)) <= 80
    assert (
        "A row counts as robust only if all attacks (linf) fail: pgd (20 steps) and random search (100 queries). The run took"
        in text
    )


def test_the_chain_says_means_and_ranges(record, monkeypatch):
    """Accuracies of three seeds that are 90, 92 and 97 %, each beside its baselines."""
    chosen = iter((0.90, 0.92, 0.97))
    judged = SimpleNamespace(robust_accuracy=0.75, robust=[True] * 1077)

    def run(seed, out):
        record.update_metrics({"test_accuracy": next(chosen)})
        return record

    monkeypatch.setattr(chain, "run_quickstart", run)
    monkeypatch.setattr(chain, "_alone", lambda seed, hidden: {"text": 0.5, "image": 0.4}[hidden])
    monkeypatch.setattr(chain, "_judged", lambda record, name, quick: judged)
    monkeypatch.setattr(chain, "_sweep", lambda scratch: SWEEP)
    found = Chain()
    rows = {key: found.measure(key) for key in found.rows()}
    assert list(rows) == ["seed 0", "seed 1", "seed 2", "sweep"]
    assert [rows[f"seed {seed}"]["seed"] for seed in (0, 1, 2)] == [0, 1, 2]
    summary = found.summary(rows)
    assert summary["accuracy"] == pytest.approx(93)
    assert "seed" not in summary
    assert summary["tune_gain_points"] == 0.42
    lines = found.table(rows).splitlines()
    undefended = 100 * record.metrics["test_accuracy_undefended"]
    assert lines[2] == (
        f"| accuracy, % | 93.0 (90.0 to 97.0) | {undefended:.1f} undefended, 50.0 image only, 40.0 text only |"
    )
    assert lines[3] == "| robust accuracy, % | 75.0 (75.0 to 75.0) | 75.0 undefended |"
    assert lines[7] == (
        "| int8: speed at batch 1 and 32 | 2.0x (2.0 to 2.0), 4.0x (4.0 to 4.0) "
        "| eager fp32 torch; 1.50x fp32 onnxruntime at batch 32 |"
    )
    assert lines[9] == (
        "| sweep of 12 trials | +0.4 points | against the file's own settings; 0.6 s a trial beside its training |"
    )
    assert "over seeds 0, 1, 2;" in lines[-1]
    assert "on all 1,077 test rows" in lines[-1]


def test_the_quick_form_is_one_seed(record, monkeypatch):
    seen = []
    judged = SimpleNamespace(robust_accuracy=0.75, robust=[True] * 150)
    monkeypatch.setattr(chain, "run_quickstart", lambda seed, out: record)
    monkeypatch.setattr(chain, "_alone", lambda seed, hidden: 0.5)
    monkeypatch.setattr(chain, "_judged", lambda record, name, quick: seen.append(quick) or judged)
    found = Chain(quick=True)
    assert found.rows() == ["seed 0"]
    assert found.summary({"seed 0": found.measure("seed 0")})["robust_rows"] == 150
    assert seen == [True, True]


def test_a_run_that_fails_gives_no_row(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "QUICKSTART", tmp_path / "absent.yaml")
    with pytest.raises(
        RunFailure, match=r"dsray run .*absent.yaml seed=0 .* ended with status 2; the rows before it are"
    ):
        command.run_quickstart(0, tmp_path / "run")
