"""The promises of samplers."""

from __future__ import annotations

import pickle

import numpy as np

from dsray.data import Facts
from dsray.data.samplers import Sampler, SamplerConfig
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import facts, prepared

Drawn = tuple[np.ndarray, np.ndarray]


def check_sampler(config: SamplerConfig) -> None:
    """A pure function of seed, stage and position: the same in pieces of any size and order, and in another process.

    It draws the stage's own rows and leaves its arguments alone; no two draws of a row have one epoch, so that their
    noise differs. Another seed or stage is another order.
    """
    check_round_trip(config)
    target = prepared().columns["target"]
    for of_stage, rows in (
        (facts(), np.arange(48)),
        (facts(uneven=True), np.arange(0, 48, 3)),
        (facts(), np.arange(1)),
    ):
        _check(config, of_stage, rows, target[rows])


def _check(config: SamplerConfig, of_stage: Facts, rows: np.ndarray, strata: np.ndarray) -> None:
    given = rows.copy(), strata.copy()
    sampler, long = config.build(of_stage, rows, strata), 4 * len(rows) + 3
    whole = _drawn(sampler, 0, long)
    ids, epochs = whole
    assert np.isin(ids, rows).all(), "it drew a row that is not the stage's"
    assert len(set(zip(ids.tolist(), epochs.tolist(), strict=True))) == long, "two draws of a row have one epoch"
    size = max(1, long // 5)
    starts = [*range(size, long, size), 0]
    pieces = {start: _drawn(sampler, start, min(start + size, long)) for start in starts}
    again = _joined([pieces[start] for start in sorted(pieces)])
    assert _same(again, whole), "a piece differs from the same positions of the whole"
    assert _same(_drawn(pickle.loads(pickle.dumps(sampler)), 0, long), whole), "it draws otherwise in another process"
    assert _same(_drawn(config.build(of_stage, rows, strata), 0, long), whole), "built again, it draws otherwise"
    ids[:], epochs[:] = -1, -1
    assert _same(_drawn(sampler, 0, long), again), "it gave arrays that are not the caller's own"
    assert _same((rows, strata), given), "it wrote into the rows or the strata"
    if len(rows) > 1:
        for what, other in {
            "seed": _drawn(sampler, 0, long, seed=4),
            "stage": _drawn(sampler, 0, long, stage="b"),
        }.items():
            assert not np.array_equal(other[0], again[0]), f"another {what} gives the same order"


def _drawn(sampler: Sampler, first: int, last: int, seed: int = 3, stage: str = "a") -> Drawn:
    ids, epochs = sampler(seed, stage, first, last)
    for values in (ids, epochs):
        said = f"{values.dtype} {values.shape}"
        assert values.dtype == np.int64 and values.shape == (last - first,), (
            f"gave {said}, needs int64 {(last - first,)}"
        )
    return ids, epochs


def _joined(pieces: list[Drawn]) -> Drawn:
    return np.concatenate([ids for ids, _ in pieces]), np.concatenate([epochs for _, epochs in pieces])


def _same(one: Drawn, other: Drawn) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
