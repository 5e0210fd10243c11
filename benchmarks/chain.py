"""The whole chain of the quickstart: three seeds, the undefended model, and models of one input trained for themselves.

Robust accuracy here is judged harder than in a run, and on the whole test split, which chooses nothing: epsilon 0.1, PGD-50
with 2 restarts, and the black-box search. Accuracies are percent, ratios are ratios.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.command import QUICKSTART, run_quickstart
from benchmarks.harness.benchmark import Benchmark, Rows
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

SWEEP = QUICKSTART.parent / "sweeps" / "quickstart.yaml"
EPSILON = 0.1
SEEDS = (0, 1, 2)


class Chain(Benchmark):
    """Seeds 0, 1 and 2, and a sweep; the quick form is seed 0 on 150 judged rows."""

    def rows(self) -> list[str]:
        """`seed 0` and so on, `sweep`."""
        return ["seed 0"] if self.quick else [*(f"seed {seed}" for seed in SEEDS), "sweep"]

    def experiments(self, key: str) -> tuple[Path, ...]:
        """The quickstart's, or its sweep's."""
        return (SWEEP,) if key == "sweep" else (QUICKSTART,)

    def measure(self, key: str) -> dict[str, Any]:
        """One seed with all that it is compared with, or the sweep."""
        torch.set_num_threads(1)  # the same sums whichever row was measured before
        with tempfile.TemporaryDirectory() as scratch:
            return _sweep(Path(scratch)) if key == "sweep" else _seed(int(key[5:]), Path(scratch), self.quick)

    def summary(self, rows: Rows) -> dict[str, Any]:
        """Means over the seeds, and the sweep's figures."""
        seeds = [row for key, row in rows.items() if key != "sweep"]
        numbers = [name for name, value in seeds[0].items() if name != "seed" and isinstance(value, int | float)]
        return {name: mean(row[name] for row in seeds) for name in numbers} | rows.get("sweep", {})

    def table(self, rows: Rows) -> str:
        """Means and ranges, the baseline of each beside it."""
        sweep, seeds = rows["sweep"], [row for key, row in rows.items() if key != "sweep"]

        def average(name: str, digits: int = 1) -> str:
            return f"{mean(row[name] for row in seeds):.{digits}f}"

        def ranged(name: str, digits: int = 1, unit: str = "") -> str:
            values = [row[name] for row in seeds]
            spread = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
            return f"{mean(values):.{digits}f}{unit} ({spread})"

        singles = f"{average('image_only_accuracy')} image only, {average('text_only_accuracy')} text only"
        losses = f"{ranged('int8_loss_points', 2)} clean; {ranged('int8_adversarial_loss_points', 2)} adversarial"
        speeds = f"{ranged('int8_speedup_batch1', 1, 'x')}, {ranged('int8_speedup_batch32', 1, 'x')}"
        onnxruntime = f"{average('int8_vs_onnxruntime_fp32_batch32', 2)}x fp32 onnxruntime at batch 32"
        overhead = f"{sweep['tune_overhead_per_trial_s']:.1f} s a trial beside its training"
        lines = [
            ("figure", "dsray", "beside it"),
            ("---", "---", "---"),
            ("accuracy, %", ranged("accuracy"), f"{average('accuracy_undefended')} undefended, {singles}"),
            ("robust accuracy, %", ranged("robust_accuracy"), f"{average('robust_accuracy_undefended')} undefended"),
            (
                "blocks skipped, %",
                ranged("skip_rate"),
                f"at {average('skip_loss_points', 2)} points of accuracy, against the same weights with nothing skipped",
            ),
            ("int8: accuracy lost, points", losses, "fp32 torch, for which the adversarial rows were made"),
            ("int8: size", average("size_ratio", 2), "of the fp32 graph"),
            ("int8: speed at batch 1 and 32", speeds, f"eager fp32 torch; {onnxruntime}"),
            (
                "seconds of a run",
                ranged("seconds_total", 0),
                f"first step after {average('seconds_to_first_step')}, "
                f"Serve's first answer after {average('seconds_serve_first_answer')}",
            ),
            (
                f"sweep of {sweep['tune_trials']} trials",
                f"{sweep['tune_gain_points']:+.1f} points",
                f"against the file's own settings; {overhead}",
            ),
        ]
        return (
            "\n".join(f"| {' | '.join(line)} |" for line in lines)
            + "\n\nThe quickstart on digits with constructed questions: means, and the range over seeds "
            f"{', '.join(str(row['seed']) for row in seeds)}; the sweep has one seed. Robust accuracy is judged harder than "
            f"in a run: L-inf, epsilon {EPSILON}, PGD with 50 steps and 2 restarts and the black-box search, on all "
            f"{seeds[0]['robust_rows']:,} test rows, which choose nothing."
        )


def _seed(seed: int, scratch: Path, quick: bool) -> dict[str, Any]:
    record = run_quickstart(seed, scratch / f"run-{seed}")
    figures, timings = record.metrics, record.timings
    robust, undefended = (_judged(record, name, quick) for name in ("model", "model-undefended"))
    found = {
        "seed": seed,
        "data": record.manifest["data"]["fingerprint"],
        "accuracy": 100 * figures["test_accuracy"],
        "accuracy_undefended": 100 * figures["test_accuracy_undefended"],
        "image_only_accuracy": 100 * _alone(seed, "text"),
        "text_only_accuracy": 100 * _alone(seed, "image"),
        "robust_accuracy": 100 * robust.robust_accuracy,
        "robust_accuracy_undefended": 100 * undefended.robust_accuracy,
        "robust_rows": len(robust.robust),
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
    return found | {"metrics": figures, "timings": timings}


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


def _judged(record: Record, name: str, quick: bool) -> Judgement:
    experiment = Experiment.load(record.path / "experiment.yaml")
    assert experiment.adversarial is not None
    data = prepare(experiment.data)
    judge = experiment.adversarial.judge.replace(attacks=(PgdConfig(steps=50, restarts=2), RandomSearchConfig()))
    model = load_model(record.path / name)[0]
    rows = data.splits["test"][:150] if quick else data.splits["test"]
    parts = ThisProcess().map(_judge, shards(rows), model, data, judge, experiment.seed)
    return Judgement.merge(parts)


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
        "tune_trials": len(trials),
        "tune_gain_points": 100 * (record.metrics["tune_best_value"] - record.metrics["tune_default_value"]),
        "tune_overhead_per_trial_s": max(0.0, record.timings["seconds_total"] - busy) / len(trials),
    }
