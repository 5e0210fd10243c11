"""What is drawn for a row is a function of (seed, stage, row, epoch), augmentation and attacks alike."""

from __future__ import annotations

import json

import pytest
import torch

from dsray.base import RequestError
from dsray.data import Draws, Facts, Shuffled, to_batch
from dsray.engine import LocalWorker, TrainState
from dsray.engine.checkpoint import checkpoints
from dsray.engine.ready import ReadyStage
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles
from dsray.runner.training import new_model, train

STAGES = [
    {"name": name, "steps": 4, "attack": {"kind": "pgd", "steps": 1, "step_size": 0.1}, "epsilon": 0.1}
    for name in ("one", "two")
]
EXPERIMENT = Experiment.parse(
    {
        "data": {"source": "digits"},
        "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
        "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
        "train": {"steps": 4, "batch": 32, "checkpoint_every": 2},
        "adversarial": {"stages": STAGES, "baseline": False},
    }
)


def images_of(digits, stage, size=1, seed=0):
    """Row -> image of the first pass over 64 rows."""
    draws = Draws(seed, stage, Shuffled(digits.splits["train"][:64]), 32, digits.splits["train"][:0], 0)
    found = {}
    for rank in range(size):
        worker = LocalWorker(digits, EXPERIMENT.augment, seed=seed, rank=rank, size=size)
        for batch in worker.batches(draws, 0, 2):
            assert batch.epochs.tolist() == [0] * len(batch)
            found |= dict(zip(batch.rows.tolist(), batch.inputs["image"], strict=True))
    return found


def test_a_later_stage_does_not_repeat_the_augmentation_of_an_earlier_one(digits):
    clean, attacked = images_of(digits, "clean"), images_of(digits, "one")
    assert clean.keys() == attacked.keys() and len(clean) == 64
    assert not any(torch.equal(clean[row], attacked[row]) for row in clean)
    again = images_of(digits, "clean", size=3)
    assert all(torch.equal(clean[row], again[row]) for row in clean)


def test_the_start_of_an_attack_belongs_to_stage_row_and_epoch_and_to_no_step(digits):
    state = TrainState(new_model(EXPERIMENT, LocalWorker(digits, EXPERIMENT.augment, seed=0)))
    rows = digits.splits["train"][:32]

    def moved(stage, step, epoch=0, seed=0):
        state.global_step = step
        batch = to_batch(digits.take(rows, 0 * rows + epoch), digits.schema)
        return (
            ReadyStage(stage, state, Facts.of(digits, digits.splits["train"], 8), seed)
            .context(state, batch, state.model)
            .adversarial_batch.inputs["image"]
        )

    one, two = EXPERIMENT.stages(digits)[1:]
    first = moved(one, 4)
    assert torch.equal(first, moved(one, 7))
    for other in (moved(two, 4), moved(one, 4, epoch=1), moved(one, 4, seed=1)):
        assert not torch.isclose(other, first).flatten(1).all(1).any()


def test_a_checkpoint_of_other_noise_is_not_gone_on_with(digits, tmp_path):
    def worker():
        return LocalWorker(digits, EXPERIMENT.augment, seed=0, folder=tmp_path)

    train(EXPERIMENT, worker(), files=TrainingFiles(tmp_path))
    state = checkpoints(tmp_path / "checkpoints")[-1] / "state.json"
    plain = json.loads(state.read_text())
    assert plain.pop("noise") == 2
    state.write_text(json.dumps(plain))
    (state.parent / "sums.json").unlink()  # that version wrote none
    with pytest.raises(RequestError, match=r"noise of another version of dsray \(0.1\)") as caught:
        train(EXPERIMENT, worker(), files=TrainingFiles(tmp_path))
    assert "\n" not in str(caught.value)
