"""The figures of a trained model: the clean ones of a split, and those of the validation rows, by which choices are made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dsray.attacks import Judgement, check_judged
from dsray.base.batch import Batch
from dsray.base.routed import Routed
from dsray.data import Prepared, labelled, to_batch
from dsray.engine import Evaluation, JudgeConfig, evaluate
from dsray.experiment import Experiment
from dsray.runner.judge import judge_shard, judged_rows, shards, threat_of
from dsray.runner.refusal import refusal_figures

BATCH_ROWS = 270
VALIDATION_ROWS = 150


def batches(data: Prepared, rows: np.ndarray, size: int = BATCH_ROWS) -> Iterator[Batch]:
    """Clean batches of the given row ids on the CPU, in order."""
    for i in range(0, len(rows), size):
        yield to_batch(data.take(rows[i : i + size]), data.schema)


def clean_figures(model: Routed, data: Prepared, split: str = "test") -> tuple[dict[str, float], Evaluation]:
    """Flat figures of a split (`test_accuracy`, ..., `skip_rate`, `test_accuracy_without_image`) and the answers.

    Both are of the rows that have a label; how many have none is `test_rows_unlabelled`. An accuracy is of all these
    rows, so that a row is wrong whose class the training rows do not have; `test_accuracy_known` is of the others.
    """
    rows = labelled(data, data.splits[split])
    found = evaluate(model, batches(data, rows))
    figures = {f"{split}_{name}": value for name, value in found.metrics().items()}
    figures |= {f"{split}_{name}": value for name, value in refusal_figures(found, data.schema.target).items()}
    figures[f"{split}_rows_unlabelled"] = len(data.splits[split]) - len(rows)
    if found.routes is not None:
        whole = evaluate(model, batches(data, rows), full=True)
        figures["skip_rate"] = found.routes.skip_rate
        figures[f"{split}_accuracy_full"] = whole.accuracy
        figures["skip_loss_points"] = 100 * (whole.accuracy - found.accuracy)
    if len(data.schema.names) > 1:
        for name in data.schema.names:
            hidden = evaluate(model, (b.without(name) for b in batches(data, rows)))
            figures[f"{split}_accuracy_without_{name}"] = hidden.accuracy
    return figures, found


def validation_figures(experiment: Experiment, model: Routed, data: Prepared) -> dict[str, float]:
    """What choices are made by: `val_accuracy` and, with an `adversarial` section, `val_robust_accuracy` and their mean.

    Robustness is judged by the first attack on at most 150 rows; by all attacks where the first has no gradient on any of
    them. `val_balanced_robustness`, the mean, rises only when neither is given away for the other.
    """
    found = evaluate(model, batches(data, labelled(data, data.splits["validation"])))
    accuracy = found.accuracy
    figures = {"val_accuracy": accuracy, "val_accuracy_known": found.known().accuracy}
    figures["val_rows_unknown"] = found.rows_unknown
    if experiment.adversarial:
        judge = experiment.adversarial.judge
        first = judge.replace(attacks=judge.attacks[:1])
        rows = judged_rows(data, "validation", min(judge.rows, VALIDATION_ROWS), threat_of(judge, data))
        judged = _judged(model, data, rows, first, experiment.seed)
        if judged.blind_alone:
            judged = check_judged(_judged(model, data, rows, judge, experiment.seed))
        robust = judged.robust_accuracy
        figures |= {"val_robust_accuracy": robust, "val_balanced_robustness": (accuracy + robust) / 2}
    return figures


def _judged(model: Routed, data: Prepared, rows: np.ndarray, judge: JudgeConfig, seed: int) -> Judgement:
    return Judgement.merge([judge_shard(model, data, s, judge, judge.epsilon, seed) for s in shards(rows)])
