"""The judgement of a trained model under attack: which rows it is held on, and the part of one shard.

Rows are judged in fixed shards, so that one process and many give the same figures bit for bit.
"""

from __future__ import annotations

import numpy as np

from dsray.attacks import Judgement, Threat, judge_batch
from dsray.base import RequestError, a
from dsray.base.modes import evaluating
from dsray.base.noise import key_of
from dsray.base.routed import Routed
from dsray.data import Prepared, known, labelled, to_batch
from dsray.data.movable import NOTHING, movable
from dsray.engine import JudgeConfig

SHARD_ROWS = 75


def threat_of(judge: JudgeConfig, data: Prepared, field: str = "adversarial.judge") -> Threat:
    """What the judgement may move of these data. A RequestError that names a part of `field` where that is not clear."""
    try:
        threat = judge.threat.on(movable(data.schema))
    except RequestError as error:
        raise RequestError(f"adversarial: {error}" if NOTHING in str(error) else f"{field}.{error}") from None
    threat.check_radius(judge.epsilon, f"{field}.epsilon")
    for i, epsilon in enumerate(judge.curve):
        threat.check_radius(epsilon, f"{field}.curve.{i}")
    return threat


def attackable(data: Prepared, split: str, threat: Threat) -> np.ndarray:
    """Those rows of the split that have something to move and a known class."""
    rows = known(data, data.splits[split])
    return rows[data.columns[f"present.{threat.input}"][rows]]


def judged_rows(data: Prepared, split: str, count: int, threat: Threat) -> np.ndarray:
    """The rows that robustness is judged on: the first `count` with a label of a fixed permutation of the split.

    A row of a class that the training rows do not have is wrong, one without the input right or wrong as it stands. A
    RequestError where no other row is among them.
    """
    found, what = attackable(data, split, threat), a(threat.input)
    if not len(found):
        raise RequestError(f"adversarial: no row of the {split} split has {what} and a known class to judge")
    rows = _first(data, split, count, labelled(data, data.splits[split]))
    if not np.isin(rows, found).any():
        raise RequestError(
            f"adversarial.judge: none of the {count} rows to judge of the {split} split has {what} and a known class, "
            f"as {len(found)} of all {len(data.splits[split])} have; give rows and curve_rows of more"
        )
    return rows


def movable_rows(data: Prepared, split: str, count: int, threat: Threat) -> np.ndarray:
    """The first `count` attackable rows in the order of `judged_rows`; there may be none."""
    return _first(data, split, count, attackable(data, split, threat))


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
    batch, threat = to_batch(data.take(rows), data.schema), threat_of(judge, data)
    with evaluating(model):
        return judge_batch(model, batch, judge.attacks, epsilon, seed, threat=threat, keep_adversarial=True)
