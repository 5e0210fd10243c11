"""Everything that training and attacks make is made on the worker's device."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
from accelerator import DEVICE, Accelerator

from dsray.attacks import FgsmConfig, PgdConfig, RandomSearchConfig, judge_batches
from dsray.data import to_batch
from dsray.engine import LocalWorker
from dsray.engine.checkpoint import checkpoints, latest_checkpoint, load_checkpoint
from dsray.engine.executions import DataParallel, Pipeline
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles
from dsray.runner.training import train

ATTACK = {"epochs": 1, "share": 0.5, "epsilon": {"kind": "constant", "value": 0.1}}
EXPERIMENT = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
    "model": {
        "width": 16,
        "trunk": {"blocks": 2, "hidden": 16, "heads": 2, "experts": {"count": 4, "hidden": 16}},
        "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.4},
    },
    "train": {"epochs": 1, "batch": 64, "checkpoint_every": 3, "log_every": 1},
    "adversarial": {
        "stages": [
            {"name": "pgd", "attack": {"kind": "pgd", "steps": 2}, "loss": "trades", **ATTACK},
            {"name": "fgsm", "attack": "fgsm", "loss": "madry", **ATTACK},
        ],
    },
    "finetune": {"unfreeze": [["head", "exits"], ["*"]]},
    "continual": {
        "tasks": [
            {"name": "low", "classes": ["0", "1", "2", "3", "4"]},
            {"name": "high", "classes": ["5", "6", "7", "8", "9"]},
        ],
        "ewc": {"rows": 8},
    },
}
PER_TOKEN = {  # and every row leaves at the first exit
    "model": {
        "width": 16,
        "trunk": {"blocks": 2, "heads": 2, "experts": {"per": "token", "top_k": 2}},
        "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.01},
    }
}


@pytest.fixture(scope="module")
def few(digits):
    """So few rows that a stage has one or two steps: the accelerator is slow."""
    return replace(
        digits, splits={"train": digits.splits["train"][:200], "validation": digits.splits["validation"][:64]}
    )


def trained(tree, data, folder, device):
    """The history and the weights of a training on `device`."""
    experiment, lines = Experiment.parse(tree), []
    worker = LocalWorker(data, experiment.augment, seed=0, device=device, folder=folder, on_line=lines.append)
    model = train(experiment, worker, files=TrainingFiles(folder))
    assert {p.device for p in model.parameters()} == {torch.device(device)}
    return lines, {name: value.cpu() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("changes", [{}, PER_TOKEN], ids=["sample", "token"])
def test_training_on_an_accelerator_is_that_of_the_cpu_and_resumes(few, tmp_path, changes):
    here, _ = trained(EXPERIMENT | changes, few, tmp_path / "here", "cpu")
    with Accelerator():
        there, whole = trained(EXPERIMENT | changes, few, tmp_path / "there", DEVICE)
        shutil.rmtree(checkpoints(tmp_path / "there" / "checkpoints")[-1])
        left = latest_checkpoint(tmp_path / "there" / "checkpoints")
        assert left and load_checkpoint(left)[1]["anchors"] == 1  # in the second task
        _, resumed = trained(EXPERIMENT | changes, few, tmp_path / "there", DEVICE)

    assert [line["kind"] for line in there] == [line["kind"] for line in here]
    steps = [(a, b) for a, b in zip(here, there, strict=True) if a["kind"] == "step"]
    assert len({a["stage"] for a, _ in steps}) == 12  # 2 tasks x 2 groups x (clean, pgd, fgsm)
    for a, b in steps[:8]:
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_robustness_is_judged_on_the_device(digits):
    torch.manual_seed(0)
    model = Experiment.parse(EXPERIMENT).model.build(digits.schema).eval()
    batch = to_batch(digits.take(digits.splits["test"][:64]), digits.schema)
    batch = replace(batch, target=model.classify(batch).argmax(-1))  # answers that an attack can turn
    attacks = [FgsmConfig(), PgdConfig(steps=3, restarts=2), RandomSearchConfig(queries=20)]
    here = judge_batches(model, [batch], attacks, 0.05)
    with Accelerator():
        there = judge_batches(model.to(DEVICE), [batch.to(DEVICE)], attacks, 0.05)
    assert {name: kept.tolist() for name, kept in there.survived.items()} == {
        name: kept.tolist() for name, kept in here.survived.items()
    }
    assert 0 < here.robust_accuracy < here.clean_accuracy


@pytest.mark.parametrize("execution", [DataParallel, Pipeline])
def test_sums_over_processes_are_taken_on_the_device(monkeypatch, execution):
    """NCCL carries no tensors of the CPU, and validation counts there."""
    carried = []
    monkeypatch.setattr(dist, "all_reduce", lambda values, group: carried.append(values.device))
    one = execution.__new__(execution)
    one.device, one.group, one.across = DEVICE, "all", "all"
    with Accelerator():
        for values in (torch.ones(3, dtype=torch.float64), torch.ones(3, device=DEVICE)):
            assert one.reduce(values).device == values.device
    assert carried == [DEVICE, DEVICE]


def test_the_accelerator_refuses_what_a_gpu_would_refuse():
    with Accelerator():
        there, one = torch.ones(3, device=DEVICE), torch.ones(())
        assert ((there + one) * 2).cpu().tolist() == [4.0, 4.0, 4.0]
        for mixed in (
            lambda: there + torch.ones(3),
            lambda: torch.stack([there.sum(), one]),
            lambda: one.add_(there.sum()),
        ):
            with pytest.raises(RuntimeError, match="are on the CPU"):
                mixed()
