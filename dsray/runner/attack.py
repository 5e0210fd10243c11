"""The attack step: robust accuracy of the model and its twin, a curve over epsilon, and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dsray.attacks import Judgement, Threat, check_judged
from dsray.base.routed import Routed
from dsray.data import Prepared, to_batch
from dsray.engine import JudgeConfig
from dsray.inputs import flat
from dsray.record import Record
from dsray.record.judgements import keep_judgement
from dsray.runner.judge import judge_shard, judged_rows, shards, threat_of
from dsray.runner.place import Place
from dsray.runner.shown import as_json, shown_inputs, values_of

EXAMPLES = 6
Job = tuple[str, float, np.ndarray]


def attack_step(
    record: Record,
    data: Prepared,
    judge: JudgeConfig,
    seed: int,
    models: dict[str, Routed],
    place: Place,
    *,
    own: bool = True,
) -> dict[str, Any]:
    """Judge `models` ("" and perhaps "_undefended") and write `attack.json`, the newest judgement.

    The curve has each epsilon once and is judged on the first `curve_rows` rows only, except at 0 and at the epsilon of
    the judgement itself, which are its own figures; each point says its `rows`.
    robust_accuracy is of all rows; `robust_rows_unknown` of them are of a class that the training rows do not have and
    wrong, robust_accuracy_known is of the others; `robust_rows_without_INPUT` nothing can move;
    `robust_rows_without_gradient` of the `robust_rows_climbed` had a gradient of zero in every element under every attack
    that climbs one.
    own: the judgement is the one that the record's experiment names; only its figures go to `metrics.json`.
    """
    threat = threat_of(judge, data)
    rows = judged_rows(data, "test", judge.rows, threat)
    curve_rows = judged_rows(data, "test", judge.curve_rows, threat)
    radii = sorted({*judge.curve} - {0.0, judge.epsilon})
    jobs: list[Job] = [(name, judge.epsilon, shard) for name in models for shard in shards(rows)]
    jobs += [(name, e, shard) for name in models for e in radii for shard in shards(curve_rows)]
    parts = place.map(_judge, jobs, models, data, judge, seed)
    whole = len(models) * len(shards(rows))
    main = {name: _merge(jobs[:whole], parts[:whole], name, judge.epsilon) for name in models}
    found = main[""]
    curve = {e: {name: _merge(jobs[whole:], parts[whole:], name, e) for name in models} for e in radii}
    points = [_point(e, "robust_accuracy", judged) for e, judged in curve.items()]
    points.append(_point(judge.epsilon, "robust_accuracy", main))
    if judge.epsilon > 0:
        points.append(_point(0.0, "clean_accuracy", main))
    report = {
        "threat": judge.threat.kind,
        "input": threat.input,
        "element": threat.element,
        "units": judge.threat.units,
        "epsilon": judge.epsilon,
        "rows": len(found.rows),
        "attacks": [attack.name for attack in judge.attacks],
        "clean_accuracy": found.clean_accuracy,
        "per_attack": found.per_attack,
        "curve": sorted(points, key=lambda point: point["epsilon"]),
        "curve_rows": len(curve_rows),
        "examples": _examples(data, found, models[""], threat),
        **{f"robust_accuracy{name}": judged.robust_accuracy for name, judged in main.items()},
        "robust_accuracy_known": found.robust_accuracy_known,
        "robust_rows_unknown": int(found.unknown.sum()),
        f"robust_rows_without_{threat.input}": int(found.unmoved.sum()),
        **{f"robust_rows_climbed{name}": int(judged.climbed.sum()) for name, judged in main.items()},
        **{f"robust_rows_without_gradient{name}": int(judged.blind.sum()) for name, judged in main.items()},
    }
    report["own"] = keep_judgement(record, report, own)
    record.write_json("attack.json", report)
    return report


def _judge(job: Job, models: dict[str, Routed], data: Prepared, judge: JudgeConfig, seed: int) -> Judgement:
    name, epsilon, rows = job
    return judge_shard(models[name], data, rows, judge, epsilon, seed)


def _point(epsilon: float, figure: str, judged: dict[str, Judgement]) -> dict[str, float]:
    """A point of the curve: what `figure` of each model is, as its robust accuracy at this radius, and on how many rows."""
    accuracies = {f"robust_accuracy{name}": getattr(robustness, figure) for name, robustness in judged.items()}
    return {"epsilon": epsilon, "rows": len(judged[""].rows), **accuracies}


def _merge(jobs: list[Job], parts: list[Judgement], name: str, epsilon: float) -> Judgement:
    own = [p for job, p in zip(jobs, parts, strict=True) if job[0] == name and job[1] == epsilon]
    return check_judged(Judgement.merge(own))


@torch.no_grad()
def _examples(data: Prepared, found: Judgement, model: Routed, threat: Threat) -> list[dict[str, Any]]:
    """Rows that were right and fell: clean, adversarial, and their difference around grey, the largest one to black or white."""
    batch = found.adversarial
    if batch is None:
        return []
    fell = np.flatnonzero(found.clean_correct & ~found.robust)[:EXAMPLES]
    examples = []
    for i in fell.tolist():
        row = int(found.rows[i])
        own = data.schema.target
        target = own.show_target(data.columns["target"][row])
        shown = shown_inputs(data, row)
        clean = shown.pop(threat.input)
        spec = data.schema.inputs[threat.input]
        before = values_of(data.take(np.array([row])), 0, threat.input, spec)
        after = {part: batch.inputs[flat(threat.input, part)][i].numpy() for part in spec.tensors}
        difference = spec.difference(before, after)
        logits = torch.cat(
            [model.classify(to_batch(data.take(found.rows[i : i + 1]), data.schema)), model(*_one(batch, i)).logits]
        )
        before_it, after_it = map(own.show_answer, own.answers(logits.numpy()))
        examples.append(
            {
                "clean": clean,
                "adversarial": as_json(spec.show(after, {})),
                "difference": as_json(difference) if difference else None,
                "others": shown,
                "target": target,
                "prediction_clean": before_it,
                "prediction_adversarial": after_it,
            }
        )
    return examples


def _one(batch, i: int):  # type: ignore[no-untyped-def]
    row = batch.select(slice(i, i + 1))
    return row.inputs, row.present
