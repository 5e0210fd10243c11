"""A training goes on with another number of processes: the same rows and noise, and figures up to the rounding of sums."""

from __future__ import annotations

import json

import pytest
import torch
from processes import on_processes

from dsray.engine.checkpoint import latest_checkpoint, load_checkpoint
from dsray.data import prepare
from dsray.engine import LocalWorker
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train

pytestmark = pytest.mark.dist
BATCH = 31  # two workers hold unequal shares
TREE = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
    "model": {"width": 16, "trunk": {"blocks": 3, "hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
    "train": {
        "steps": 6,
        "batch": BATCH,
        "optimizer": {"kind": "sgd"},  # Adam turns the rounding of a gradient that should be 0 into a whole step
        "rates": {"schedule": {"kind": "constant", "value": 0.1}},
        "log_every": 1,
        "validate_every": 3,
        "checkpoint_every": 4,
    },
    "adversarial": {
        "stages": [{"steps": 6, "attack": {"kind": "pgd", "steps": 2}, "epsilon": 0.05}],
        "judge": {"rows": 20, "curve": []},
    },
    "continual": {
        "tasks": [{"name": "a", "classes": ["0", "1"]}, {"name": "b", "classes": ["2", "3"]}],
        "memory": {"rows": 40},
        "ewc": {"rows": 50},
    },
}
STEPS = 24
SUPERVISED = {"weights": {"1": 3.0}, "focal": 2}
FLAT = {"kind": "reduce_rate", "patience": 1, "tolerance": 1, "least": 0.1}
"""No accuracy improves by more than 1: the rate halves at each validation but the first of a stage."""
UNEVEN = {
    "train": TREE["train"] | {"sampler": "balanced", "task": SUPERVISED, "policies": [FLAT]},
    "adversarial": {"stages": [TREE["adversarial"]["stages"][0] | {"loss": {"kind": "madry", **SUPERVISED}}]},
}


class Noting:
    """A local worker that keeps which rows came in each step, and a sum over the pixels of each as they came."""

    def __init__(self, *arguments, **rest):
        self.local = LocalWorker(*arguments, **rest)

    def __getattr__(self, name):
        return getattr(self.local, name)

    def batches(self, plan, first, last):
        for step, batch in enumerate(self.local.batches(plan, first, last), first):
            sums = batch.inputs["image"].double().sum((1, 2, 3)).tolist()
            seen = {"stage": plan.stage, "step": step, "rows": dict(zip(batch.rows.tolist(), sums, strict=True))}
            with (self.checkpoints.parent / f"seen-{self.rank}.jsonl").open("a") as file:
                file.write(json.dumps(seen) + "\n")
            yield batch


class Stopped(Exception):
    pass


def go_on(rank, out, size, stop, sections):
    """To the end, or to step `stop`, where the process gives up between two checkpoints."""
    files, config = TrainingFiles(out), Experiment.parse(TREE | sections | {"parallel": {"workers": size}})
    data = prepare(config.data)
    if rank == 0:
        resume_history(files)

    def on_line(line):
        if stop and line["kind"] == "step" and line["step"] == stop:
            raise Stopped

    worker = Noting(
        data, config.augment, seed=config.seed, rank=rank, size=size, leads=rank == 0, folder=out, on_line=on_line
    )
    try:
        train(config, worker, files=files)
    except Stopped:
        assert stop


def lines(files, kind):
    return [line for line in map(json.loads, files.history.read_text().splitlines()) if line["kind"] == kind]


def seen(files):
    """(stage, step) -> row -> sum of its pixels, over all workers; what was done again replaces what was done first."""
    steps = {}
    for path in sorted(files.folder.glob("seen-*.jsonl")):
        mine = {}
        for line in map(json.loads, path.read_text().splitlines()):
            mine[(line["stage"], line["step"])] = line["rows"]
        for step, rows in mine.items():
            steps.setdefault(step, {}).update(rows)
    return steps


@pytest.mark.parametrize(
    ("before", "after", "sections"), [(1, 2, {}), (2, 1, UNEVEN)], ids=["1 then 2", "2 then 1, for uneven classes"]
)
def test_a_run_goes_on_with_other_workers(tmp_path, before, after, sections):
    """Replay memory, Fisher anchors, controls and attacks of the second task come out as in one process."""
    torch.set_num_threads(1)
    one, two = TrainingFiles(tmp_path / "one"), TrainingFiles(tmp_path / "two")
    for files in (one, two):
        files.folder.mkdir()
    go_on(0, one.folder, 1, None, sections)
    for size, stop in ((before, 15), (after, None)):
        if size == 1:
            go_on(0, two.folder, 1, stop, sections)
        else:
            on_processes(size, go_on, two.folder, size, stop, sections)
    assert [line["step"] for line in lines(two, "step")] == [*range(1, STEPS + 1)]
    for kind in ("stage", "step", "validation", "checkpoint"):
        ours, theirs = lines(two, kind), lines(one, kind)
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert (a["stage"], a.get("epsilon")) == (b["stage"], b.get("epsilon"))
            for name in ("loss", "accuracy", "grad_norm", "skip_rate", "rate", "control/rate"):
                assert a.get(name) == pytest.approx(b.get(name), abs=1e-4)
    assert seen(two) == seen(one)
    (ours, about), (theirs, expected) = (load_checkpoint(latest_checkpoint(files.checkpoints)) for files in (two, one))
    assert about["memory"] == expected["memory"]
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name].double(), tensor.double(), atol=1e-4), name
