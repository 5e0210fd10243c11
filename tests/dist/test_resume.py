"""A training on several processes that was killed between two checkpoints ends as an undisturbed one, to the bit."""

from __future__ import annotations

import json

import pytest
import torch
import torch.distributed as dist
from processes import on_processes

from dsray.data import prepare
from dsray.engine import LocalWorker
from dsray.engine.checkpoint import latest_checkpoint, load_checkpoint
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train

pytestmark = pytest.mark.dist
TREE = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
    "model": {"width": 16, "trunk": {"blocks": 3, "hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
    "train": {
        "steps": 7,
        "batch": 32,
        "accumulate": 2,
        "average": {"decay": 0.9, "every": 3},
        "log_every": 1,
        "validate_every": 4,
        "checkpoint_every": 5,
    },
    "continual": {
        "tasks": [{"name": "a", "classes": ["0", "1"]}, {"name": "b", "classes": ["2", "3"]}],
        "memory": {"rows": 40},
        "ewc": None,
    },
}
ATTACKED = {"stages": [{"steps": 7, "attack": {"kind": "pgd", "steps": 2}, "epsilon": 0.05, "share": 0.4}]}


class Stopped(Exception):
    pass


def go_on(rank, tree, out, stop):
    """To the end, or to step `stop`, where all processes give up."""
    files, config = TrainingFiles(out), Experiment.parse(tree)
    data = prepare(config.data)
    pieces = config.parallel.pipeline
    if rank == 0:
        resume_history(files)
    dist.barrier()

    def on_line(line):
        if stop and line["kind"] == "step" and line["step"] == stop:
            raise Stopped

    worker = LocalWorker(
        data,
        config.augment,
        seed=config.seed,
        rank=rank // pieces,
        size=config.parallel.workers,
        leads=rank == 0,
        folder=out,
        on_line=on_line,
    )
    try:
        train(config, worker, files=files)
    except Stopped:
        assert stop


def with_and_without(rank, tree, out, stop):
    """Undisturbed in one folder, and killed and resumed in another; all in one process, which takes long to begin."""
    for name, at in (("whole", None), ("killed", stop), ("killed", None)):
        (out / name).mkdir(exist_ok=True)
        go_on(rank, tree, out / name, at)
        dist.barrier()


def figures(files):
    read = [json.loads(line) for line in files.history.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time_s", "crc")} for line in read]


@pytest.mark.parametrize(
    ("sections", "stop"),
    [
        ({"parallel": {"workers": 2}, "adversarial": ATTACKED, "continual": TREE["continual"] | {"ewc": {"rows": 20}}}, 27),
        ({"parallel": {"pipeline": 2, "microbatches": 2}, "train": TREE["train"] | {"checkpoint_every": 4}}, 13),
    ],
    ids=["two workers", "a pipeline of two"],
)
def test_it_ends_as_if_nothing_had_been(tmp_path, sections, stop):
    """The checkpoint that it goes on from lies between two turns of the average of the last stage."""
    on_processes(2, with_and_without, TREE | sections, tmp_path, stop)
    whole, killed = (TrainingFiles(tmp_path / name) for name in ("whole", "killed"))
    assert figures(killed) == figures(whole)
    (ours, about), (theirs, expected) = (load_checkpoint(latest_checkpoint(f.checkpoints)) for f in (killed, whole))
    assert about == expected and ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
