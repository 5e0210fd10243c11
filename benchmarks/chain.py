"""The whole chain of the quickstart: three seeds, the undefended model, and models of one input trained for themselves.

Robust accuracy here is judged harder than in a run, and on the whole test split, which chooses nothing: epsilon 0.1, PGD-50
with 2 restarts, and the black-box search. Accuracies are percent, ratios are ratios.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from dsray.attacks import Judgement, PgdConfig, RandomSearchConfig
from dsray.data import prepare
from dsray.engine import LocalWorker, evaluate
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.record import Record
from dsray.runner.figures import batches
from dsray.runner.judge import judge_shard, shards
from dsray.runner.place import ThisProcess
from dsray.runner.training import train

QUICKSTART = Path(__file__).parents[1] / "jobs" / "experiments" / "quickstart.yaml"
SWEEP = QUICKSTART.parent / "sweeps" / "quickstart.yaml"
EPSILON = 0.1


def measure(save: Callable[[dict[str, Any]], None], *, quick: bool = False) -> dict[str, Any]:
    """Rows per seed, and their means in the summary; `save` is called after each row, so that a crash loses none.

    quick: one seed, 150 judged rows, no sweep.
    """
    seeds = (0,) if quick else (0, 1, 2)
    experiment = Experiment.load(QUICKSTART)
    found: dict[str, Any] = {
        "name": "chain",
        "data": f"digits with questions (constructed), fingerprint {prepare(experiment.data).fingerprint}",
        "seed": list(seeds),
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "torch": torch.__version__},
        "rows": [],
        "summary": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        for seed in seeds:
            found["rows"].append(_seed(seed, Path(scratch), quick))
            save(found)
        rows = found["rows"]
        found["summary"] = {name: mean(row[name] for row in rows) for name in rows[0] if name != "seed"}
        save(found)
        if not quick:
            found["summary"] |= _sweep(Path(scratch))
            save(found)
    return found


def _seed(seed: int, scratch: Path, quick: bool) -> dict[str, float]:
    record = _run(seed, scratch / f"run-{seed}")
    figures, timings = record.metrics, record.timings
    found = {
        "seed": seed,
        "accuracy": 100 * figures["test_accuracy"],
        "accuracy_undefended": 100 * figures["test_accuracy_undefended"],
        "image_only_accuracy": 100 * _alone(seed, "text"),
        "text_only_accuracy": 100 * _alone(seed, "image"),
        "robust_accuracy": 100 * _robust(record, "model", quick),
        "robust_accuracy_undefended": 100 * _robust(record, "model-undefended", quick),
        "int8_loss_points": figures["int8_loss_points"],
        "int8_adversarial_loss_points": figures["int8_adversarial_loss_points"],
        "size_ratio": figures["size_ratio"],
        "skip_rate": 100 * figures["skip_rate"],
        "skip_loss_points": figures["skip_loss_points"],
    }
    for batch in (1, 32):
        found[f"int8_speedup_batch{batch}"] = timings[f"speed/torch/batch{batch}"] / timings[f"speed/int8/batch{batch}"]
    found["int8_vs_onnxruntime_fp32_batch32"] = (
        timings["speed/onnxruntime_fp32/batch32"] / timings["speed/int8/batch32"]
    )
    for name in ("seconds_total", "seconds_to_first_step", "seconds_serve_first_answer"):
        found[name] = timings[name]
    return found


def _run(seed: int, out: Path) -> Record:
    """The command itself, in a process of its own: seconds as a user sees them."""
    dsray = Path(sys.executable).with_name("dsray")
    subprocess.run([dsray, "run", QUICKSTART, f"seed={seed}", "--out", out], check=True, stdout=subprocess.DEVNULL)
    return Record.open(out)


def _alone(seed: int, hidden: str) -> float:
    """Test accuracy of a model trained for itself without one input, clean stages of equal steps."""
    experiment = Experiment.load(
        QUICKSTART,
        [f"seed={seed}", f"data.{hidden}=null"] + ["adversarial=null", "augment.operations=[]"] * (hidden == "image"),
    )
    data = prepare(experiment.data)
    whole = Experiment.load(QUICKSTART, [f"seed={seed}"])
    steps = sum(stage.steps for stage in whole.stages(prepare(whole.data)))
    experiment = experiment.replace(adversarial=None, train=experiment.train.replace(epochs=None, steps=steps))
    model = train(experiment, LocalWorker(data, experiment.augment, seed=seed))
    return evaluate(model, batches(data, data.splits["test"])).accuracy


def _robust(record: Record, name: str, quick: bool) -> float:
    experiment = Experiment.load(record.path / "experiment.yaml")
    data = prepare(experiment.data)
    judge = experiment.adversarial.judge.replace(attacks=(PgdConfig(steps=50, restarts=2), RandomSearchConfig()))
    model = load_model(record.path / name)[0]
    rows = data.splits["test"][:150] if quick else data.splits["test"]
    torch.set_num_threads(1)
    parts = ThisProcess().map(_judge, shards(rows), model, data, judge, experiment.seed)
    return Judgement.merge(parts).robust_accuracy


def _judge(rows, model, data, judge, seed):  # type: ignore[no-untyped-def]
    return judge_shard(model, data, rows, judge, EPSILON, seed)


def _sweep(scratch: Path) -> dict[str, float]:
    """Gain of the sweep over the default settings, and what a trial costs beside its training."""
    import pyarrow.parquet as pq
    from rich.console import Console

    from dsray.verbs.tune import tune_experiment

    experiment = Experiment.load(SWEEP)
    record = tune_experiment(
        experiment,
        out=scratch / "sweep",
        resume=False,
        console=Console(quiet=True),
        command=["dsray", "tune"],
    )
    trials = pq.read_table(record.path / "tune" / "trials.parquet").to_pylist()
    assert experiment.tune is not None
    busy = sum(trial["seconds"] for trial in trials) / experiment.tune.concurrent
    return {
        "tune_gain_points": 100 * (record.metrics["tune_best_value"] - record.metrics["tune_default_value"]),
        "tune_overhead_per_trial_s": max(0.0, record.timings["seconds_total"] - busy) / len(trials),
    }
