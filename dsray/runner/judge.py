"""The judgement of a trained model: clean figures, hidden modalities, skipping, robustness.

Rows are judged in fixed shards, so that one process and many give the same figures bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dsray.attacks import Judgement, check_judged, judge_batch
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.modes import evaluating
from dsray.base.noise import key_of
from dsray.base.routed import Routed
from dsray.data import Prepared, known, labelled, to_batch
from dsray.engine import Evaluation, JudgeConfig, evaluate
from dsray.experiment import Experiment

SHARD_ROWS = 75
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
    figures[f"{split}_rows_unlabelled"] = len(data.splits[split]) - len(rows)
    if found.routes is not None:
        whole = evaluate(model, batches(data, rows), full=True)
        figures["skip_rate"] = found.routes.skip_rate
        figures[f"{split}_accuracy_full"] = whole.accuracy
        figures["skip_loss_points"] = 100 * (whole.accuracy - found.accuracy)
    if len(data.schema.modalities) > 1:
        for name in data.schema.modalities:
            hidden = evaluate(model, (b.without(name) for b in batches(data, rows)))
            figures[f"{split}_accuracy_without_{name}"] = hidden.accuracy
    return figures, found


def attackable(data: Prepared, split: str) -> np.ndarray:
    """Those rows of the split that have an image to attack and a known class."""
    if "image" not in data.schema.modalities:
        return data.splits[split][:0]
    rows = known(data, data.splits[split])
    return rows[data.columns["present.image"][rows]]


def judged_rows(data: Prepared, split: str, count: int) -> np.ndarray:
    """The rows that robustness is judged on: the first `count` with a label of a fixed permutation of the split.

    A row of a class that the training rows do not have is wrong, one without an image right or wrong as it stands. A
    RequestError where no other row is among them.
    """
    if "image" not in data.schema.modalities:
        raise RequestError("adversarial: attacks perturb images; data.image is missing")
    found = attackable(data, split)
    if not len(found):
        raise RequestError(f"adversarial: no row of the {split} split has an image and a known class to judge")
    rows = _first(data, split, count, labelled(data, data.splits[split]))
    if not np.isin(rows, found).any():
        raise RequestError(
            f"adversarial.judge: none of the {count} rows to judge of the {split} split has an image and a known class, "
            f"as {len(found)} of all {len(data.splits[split])} have; give rows and curve_rows of more"
        )
    return rows


def movable_rows(data: Prepared, split: str, count: int) -> np.ndarray:
    """The first `count` attackable rows in the order of `judged_rows`; there may be none."""
    return _first(data, split, count, attackable(data, split))


def _first(data: Prepared, split: str, count: int, among: np.ndarray) -> np.ndarray:
    rows = np.random.default_rng(key_of("judge", split)).permutation(data.splits[split])
    return np.sort(rows[np.isin(rows, among)][:count])


def shards(rows: np.ndarray) -> list[np.ndarray]:
    """The fixed shards of a judgement."""
    return [rows[i : i + SHARD_ROWS] for i in range(0, len(rows), SHARD_ROWS)]


def judge_shard(
    model: Routed, data: Prepared, rows: np.ndarray, judge: JudgeConfig, epsilon: float, seed: int
) -> Judgement:
    """All attacks of the judgement on one shard, the adversarial rows kept; `check_judged` is for all shards together."""
    batch = to_batch(data.take(rows), data.schema)
    with evaluating(model):
        return judge_batch(model, batch, judge.attacks, epsilon, seed, keep_adversarial=True)


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
        rows = judged_rows(data, "validation", min(judge.rows, VALIDATION_ROWS))
        judged = _judged(model, data, rows, first, experiment.seed)
        if judged.blind_alone:
            judged = check_judged(_judged(model, data, rows, judge, experiment.seed))
        robust = judged.robust_accuracy
        figures |= {"val_robust_accuracy": robust, "val_balanced_robustness": (accuracy + robust) / 2}
    return figures


def _judged(model: Routed, data: Prepared, rows: np.ndarray, judge: JudgeConfig, seed: int) -> Judgement:
    return Judgement.merge([judge_shard(model, data, s, judge, judge.epsilon, seed) for s in shards(rows)])
