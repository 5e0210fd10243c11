"""The compression step: adversarial rows for the gate, then `dsray.compress`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsray.attacks import LinfConfig, perturb
from dsray.base.batch import Batch, concatenate
from dsray.base.modes import evaluating
from dsray.base.noise import key_of
from dsray.base.routed import Routed
from dsray.compress import CompressConfig
from dsray.compress.compared import ANSWERED
from dsray.compress.compress import Rows, compress
from dsray.data import Prepared, labelled, to_batch
from dsray.data.movable import movable
from dsray.engine import JudgeConfig
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.runner.judge import movable_rows, shards, threat_of
from dsray.runner.place import Place


def compress_step(
    record: Record,
    experiment: Experiment,
    data: Prepared,
    model: Routed,
    config: CompressConfig,
    place: Place,
    *,
    own: bool = True,
) -> dict[str, Any]:
    """Write `compressed/` into the record; the gate looks at validation rows, test rows are only reported.

    Accuracies are of the rows with a label, also of a class that the model does not know, which no answer is right for.

    own: these are the settings that the record's experiment names; only their figures go to `metrics.json`.
    """
    split = {name: labelled(data, data.splits[name]) for name in ("validation", "test")}
    calibration = np.random.default_rng(key_of(experiment.seed, "calibration")).permutation(data.splits["train"])
    rows = Rows(
        calibration=to_batch(data.take(calibration[: config.calibration_rows]), data.schema),
        gate_clean=to_batch(data.take(split["validation"]), data.schema),
        gate_adversarial=_adversarial("validation", experiment, data, model, place),
        test=to_batch(data.take(split["test"]), data.schema),
        test_adversarial=_adversarial("test", experiment, data, model, place),
    )
    report = compress(model, data.schema, rows, config, record.path / "compressed")
    if not own:
        return report
    figures = {"int8_accuracy": report["accuracy_int8"], "int8_loss_points": report["loss_points"]}
    if "adversarial_loss_points" in report:
        figures["int8_adversarial_loss_points"] = report["adversarial_loss_points"]
    figures |= {f"int8_{name}": report[f"{name}_int8"] for name in ANSWERED if f"{name}_int8" in report}
    figures |= {f"parity_{k}": v for k, v in report["parity"].items() if k != "rows"}
    record.update_metrics({**figures, "size_ratio": report["size_ratio"]})
    names = {"torch eager fp32": "torch", "onnxruntime fp32": "onnxruntime_fp32", "onnxruntime int8": "int8"}
    record.update_timings({f"speed/{names[s['engine']]}/batch{s['batch']}": s["ms_median"] for s in report["speed"]})
    return report


def _adversarial(split: str, experiment: Experiment, data: Prepared, model: Routed, place: Place) -> Batch | None:
    """Rows of the split moved against the torch model by the first attack of the judgement, to its full strength.

    Without an `adversarial` section the default judgement of the first continuous input is used; None where there is
    nothing to move.
    """
    if experiment.adversarial:
        judge = experiment.adversarial.judge
    else:
        inputs = movable(data.schema)
        first = next((name for name, parts in inputs.items() if any(t.range for t in parts.values())), None)
        if first is None:
            return None
        judge = JudgeConfig(threat=LinfConfig(input=first))
    rows = movable_rows(data, split, judge.rows, threat_of(judge, data))
    if not len(rows):
        return None
    return concatenate(place.map(_moved, shards(rows), model, data, judge, experiment.seed))


def _moved(rows: np.ndarray, model: Routed, data: Prepared, judge: JudgeConfig, seed: int) -> Batch:
    batch, threat = to_batch(data.take(rows), data.schema), threat_of(judge, data)
    with evaluating(model):
        return perturb(judge.attacks[0].build(), model, batch, judge.epsilon, threat=threat, seed=seed)
