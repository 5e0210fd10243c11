"""The judgement of a trained model under attack: which rows it is held on, and the part of one shard.

Rows are judged in fixed shards, so that one process and many give the same figures bit for bit.
"""

from __future__ import annotations

import numpy as np

from dsray.attacks import Judgement, judge_batch
from dsray.base import RequestError
from dsray.base.modes import evaluating
from dsray.base.noise import key_of
from dsray.base.routed import Routed
from dsray.data import Prepared, known, labelled, to_batch
from dsray.engine import JudgeConfig

SHARD_ROWS = 75


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
