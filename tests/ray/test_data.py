"""Ray Data feeds the exact rows of the draws: on any number of workers, from any step, the same as in one process."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch

from dsray.augment import AugmentConfig
from dsray.data import BalancedConfig, Draws, Facts, Shuffled
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.inputs.pictures import png_base64

pytestmark = pytest.mark.ray
OPERATIONS = [{"kind": "gaussian_noise", "sigma": 0.1}, {"kind": "shift", "pixels": 1, "chance": 0.5}]
EXPERIMENT = Experiment.parse(
    {"data": {"source": "digits"}, "model": {}, "augment": {"operations": OPERATIONS}, "train": {"batch": 99}}
)
STEPS = 120  # two epochs and a bit, three blocks of Ray Data


@pytest.fixture(scope="module")
def reference(ray_session, digits):
    import ray

    return ray.put(digits)


@pytest.fixture(scope="module")
def draws(digits):
    rows, memory = digits.splits["train"], digits.splits["train"][:50]
    return Draws(3, "stage", Shuffled(rows), 99, memory, 25)


@pytest.fixture(scope="module")
def expected(digits, draws):
    return list(LocalWorker(digits, AugmentConfig(operations=OPERATIONS), seed=0).batches(draws, 0, STEPS))


@pytest.mark.parametrize("first", [0, 61], ids=["from the start", "from the middle of an epoch"])
@pytest.mark.parametrize("workers", [1, 2])
def test_global_batches(reference, draws, expected, workers, first):
    from dsray.runtime.worker import RayWorker

    shares = [
        list(RayWorker(reference, EXPERIMENT, reports=False, rank=rank, size=workers).batches(draws, first, STEPS))
        for rank in range(workers)
    ]
    assert {len(share) for share in shares} == {STEPS - first}
    for step, whole in enumerate(expected[first:], first):
        ids, epochs = draws(step)
        assert np.array_equal(whole.rows, ids) and np.array_equal(whole.epochs, epochs)
        for rank, share in enumerate(shares):
            mine, theirs = share[step - first], whole.select(torch.arange(99)[rank::workers])
            assert torch.equal(mine.rows, theirs.rows) and torch.equal(mine.epochs, theirs.epochs)
            assert torch.equal(mine.target, theirs.target)
            assert all(torch.equal(mine.inputs[name], theirs.inputs[name]) for name in theirs.inputs)


def test_a_sampler_travels_to_the_data_tasks(reference, digits):
    """Two workers together get the rows of every class equally often, in the order of one process."""
    from dsray.runtime.worker import RayWorker

    rows = digits.splits["train"]
    target = digits.columns["target"]
    sampler = BalancedConfig().build(Facts.of(digits, rows, STEPS), rows, target[rows])
    draws = Draws(3, "stage", sampler, 96, rows[:0], 0)
    workers = [RayWorker(reference, EXPERIMENT, reports=False, rank=rank, size=2) for rank in range(2)]
    shares = [list(worker.batches(draws, 30, 50)) for worker in workers]
    for step, (one, two) in enumerate(zip(*shares, strict=True), 30):
        ids, _ = draws(step)
        assert np.array_equal(one.rows, ids[::2]) and np.array_equal(two.rows, ids[1::2])
        assert np.bincount(target[ids]).tolist() == [8] * 12


def test_a_failing_operation_is_told_where_the_batches_are_taken(reference, draws, monkeypatch):
    """Ray Data starts in a thread of its own; what happens there must not end in a wait without end."""
    import dsray.runtime.worker as module

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "augmented", broken)
    worker = module.RayWorker(reference, EXPERIMENT, reports=False)
    with pytest.raises(OSError, match="the disk is full"):
        list(worker.batches(draws, 0, STEPS))


def test_rows_that_are_refused_are_told_as_in_one_process(ray_session, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dsray.base import RequestError
    from dsray.data import DataConfig
    from dsray.data import prepare as prepare_here
    from dsray.runtime.data import prepare

    good = png_base64(np.zeros((1, 4, 4)))
    for split, last in (("train", base64.b64decode(good)), ("test", b"no image")):
        rows = {"image": [base64.b64decode(good)] * 9 + [last], "label": ["a", "b"] * 5}
        pq.write_table(pa.table(rows), tmp_path / f"{split}.parquet")
    source = {"kind": "parquet", **{split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}}
    config = DataConfig.model_validate({"source": source, "image": {"column": "image", "size": 4}, "label": "label"})
    said = []
    for place in (prepare_here, prepare):
        with pytest.raises(RequestError, match="holds 8 bytes starting with b'no image'; needs whole PNG") as caught:
            place(config, tmp_path / "cache")
        assert f"row 9 of '{tmp_path / 'test.parquet'}' (test)" in str(caught.value)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_preparation_counts_the_same_as_in_one_process(ray_session, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dsray.data import DataConfig
    from dsray.data import prepare as prepare_here
    from dsray.runtime.data import prepare

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (tmp_path / "a.png").write_bytes(base64.b64decode(png_base64(np.full((1, 4, 4), 0.5))))
    for split in ("train", "test"):
        pictures = [{"bytes": None, "path": name} for name in ("a.png", "a.png", None)] * 4
        rows = {"image": pa.array(pictures, kind), "text": ["a b", None, "c " * 40] * 4, "label": ["x", "y", "x"] * 4}
        pq.write_table(pa.table(rows), tmp_path / f"{split}.parquet")
    source = {"kind": "parquet", **{split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}}
    section = {"source": source, "image": {"column": "image", "size": 4}, "text": {"column": "text"}, "label": "label"}
    here = prepare_here(DataConfig.model_validate(section))
    there = prepare(DataConfig.model_validate(section), tmp_path / "cache")
    assert here.counts["test"] == {
        "image": {"missing": 4, "transparent": 0},
        "text": {"missing": 4, "cut": 0, "unknown": 0},
        "label": {"missing": 0, "unknown": 0},
    }
    assert (there.counts, there.notes, there.fingerprint) == (here.counts, here.notes, here.fingerprint)
    assert all(np.array_equal(there.columns[name], values) for name, values in here.columns.items())
