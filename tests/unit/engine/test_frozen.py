"""What a stage freezes ends it as it began it: weights, router state and the statistics of norms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dsray.base.modes import evaluating, frozen_parts
from dsray.engine import LocalWorker, TrainState, fit
from dsray.engine.executions import SingleProcess
from dsray.experiment import Experiment
from dsray.runner.training import new_model

NORMED = """
from typing import Literal

from torch import nn

from dsray.models.encoders import ImageEncoderConfig, Encoder


class Normed(Encoder):
    def __init__(self, width, channels):
        super().__init__()
        self.tokens, self.width = 1, width
        self.embed = nn.Sequential(nn.Conv2d(channels, width, 8), nn.BatchNorm2d(width), nn.BatchNorm2d(width, affine=False))

    def forward(self, values):
        return self.embed(values).flatten(2).transpose(1, 2)


class NormedConfig(ImageEncoderConfig):
    kind: Literal["normed_encoder:NormedConfig"] = "normed_encoder:NormedConfig"

    def build(self, spec):
        return Normed(self.width, spec.channels)
"""


@pytest.fixture
def model_with_norms(tmp_path, monkeypatch):
    (tmp_path / "normed_encoder.py").write_text(NORMED)
    monkeypatch.syspath_prepend(str(tmp_path))
    trunk = {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}
    encoders = {"image": {"kind": "normed_encoder:NormedConfig", "width": 16}, "text": {"kind": "tokens", "width": 16}}
    return {"width": 16, "encoders": encoders, "trunk": trunk}


def states(digits, model, trainable):
    """The whole state before and after two stages, one of them attacked, that train only `trainable`."""
    x = Experiment.parse(
        {
            "data": {"source": "digits"},
            "model": model,
            "train": {"steps": 6, "batch": 32, "validate_every": 2},
            "adversarial": {"stages": [{"steps": 4, "attack": {"kind": "pgd", "steps": 1}, "epsilon": 0.1}]},
        }
    )
    worker = LocalWorker(digits, x.augment, seed=0)
    state = TrainState(new_model(x, worker))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    stages = [stage.replace(trainable=trainable) for stage in x.stages(digits)]
    fit(state, stages, worker, SingleProcess(state.model), seed=0)
    return before, state.model.state_dict()


@pytest.mark.parametrize(
    "trainable",
    [("head", "exits"), ("trunk.blocks.2", "head"), ("encoders.text",), ("encoders.image", "trunk.blocks.0")],
    ids=" ".join,
)
def test_frozen_parts_keep_their_whole_state_buffers_included(digits, model_with_norms, trainable):
    before, after = states(digits, model_with_norms, trainable)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    learning = {name for name in before if name.startswith(tuple(f"{part}." for part in trainable))}
    assert moved <= learning
    assert {name.rsplit(".", 1)[-1] for name in learning - moved} <= {
        "bias"
    }  # to some no gradient comes, a balanced router stands
    if "encoders.image" in trainable:
        assert {"encoders.image.embed.1.running_mean", "trunk.blocks.0.experts.load_total"} <= moved
        assert int(after["encoders.image.embed.2.num_batches_tracked"]) >= 10


def test_a_part_is_frozen_with_all_that_stands_in_it():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False)), nn.Dropout(), nn.Linear(2, 2))
    assert frozen_parts(net) == []
    net[0][0].requires_grad_(False)
    assert frozen_parts(net) == [net[0]]  # its norm too; the dropout belongs to the whole, which learns
    net[2].bias.requires_grad_(False)
    assert frozen_parts(net) == [net[0]]


def test_evaluation_leaves_each_module_in_its_own_mode():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    net.train()
    net[1][0].eval()
    modes = [module.training for module in net.modules()]

    def fails():
        with evaluating(net):
            assert not any(module.training for module in net.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert [module.training for module in net.modules()] == modes == [True, True, True, False, True]
