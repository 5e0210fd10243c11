"""The promises of plug-ins, for their authors: `check_attack(MyAttackConfig())` raises AssertionError where one is broken."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from dsray.attacks import AttackConfig, perturb
from dsray.augment import OperationConfig, augment
from dsray.base import Plugin
from dsray.batch import Batch
from dsray.schedules import ScheduleConfig

EPSILON = 0.1


def check_round_trip(config: Plugin) -> None:
    """A config survives its own JSON."""
    assert type(config).model_validate(config.model_dump(mode="json")) == config, "the config changes in its own JSON"


def check_attack(config: AttackConfig) -> None:
    """In the ball and the range, finite, repeatable, the same in any company, and without a trace in the model."""
    check_round_trip(config)
    model, batch = _model(), _batch(24)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moved = perturb(config.build(), model, batch, EPSILON, seed=3)
    image, clean = moved.inputs["image"], batch.inputs["image"]
    assert image.shape == clean.shape, "the shape of the images changed"
    assert torch.isfinite(image).all(), "an image holds numbers that are not finite"
    assert float((image - clean).abs().max()) <= EPSILON + 1e-6, "an image left the ball"
    assert float(image.min()) >= 0, "an image left the range [0, 1]"
    assert float(image.max()) <= 1, "an image left the range [0, 1]"
    assert model.training, "the attack changed the mode of the model"
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items()), "the attack changed the model"
    assert all(p.grad is None for p in model.parameters()), "the attack left gradients in the model"
    model.eval()
    again = perturb(config.build(), model, batch, EPSILON, seed=3).inputs["image"]
    first = perturb(config.build(), model, batch, EPSILON, seed=3).inputs["image"]
    assert torch.equal(first, again), "the attack gives another result when repeated"
    part = torch.tensor([5, 2, 17])
    alone = perturb(config.build(), model, batch.select(part), EPSILON, seed=3).inputs["image"]
    assert torch.allclose(alone, first[part], atol=1e-5), "a row's result depends on its company"


def check_operation(config: OperationConfig) -> None:
    """Rows, dtypes, shapes and range kept; repeatable; a row's result depends on row and epoch alone."""
    check_round_trip(config)
    rng = np.random.default_rng(0)
    columns = {
        "image": rng.random((16, 1, 8, 8), np.float32),
        "present.image": np.arange(16) % 5 > 0,
        "target": np.arange(16) % 3,
        "row": np.arange(100, 116),
        "epoch": np.arange(16) % 2,
    }
    operation = config.build()
    first = augment(dict(columns), [operation], 7)
    again = augment(dict(columns), [operation], 7)
    for name, values in columns.items():
        assert first[name].shape == values.shape, f"{name} changed its shape"
        assert first[name].dtype == values.dtype, f"{name} changed its dtype"
        assert np.array_equal(first[name], again[name]), f"{name} differs when repeated"
    assert 0 <= first["image"].min() <= first["image"].max() <= 1, "an image left the range [0, 1]"
    absent = np.logical_not(columns["present.image"])
    assert np.array_equal(first["image"][absent], columns["image"][absent]), "an absent image was changed"
    part = np.array([9, 3, 14])
    alone = augment({k: v[part] for k, v in columns.items()}, [operation], 7)
    assert np.array_equal(alone["image"], first["image"][part]), "a row's result depends on its company"


def check_schedule(config: ScheduleConfig) -> None:
    """Finite at every step of short and long stretches."""
    check_round_trip(config)
    for steps in (1, 2, 7, 1000):
        schedule = config.build(steps)
        assert all(math.isfinite(schedule(step)) for step in range(steps)), f"not finite over {steps} steps"


def _model() -> nn.Module:
    """A small net."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))


def _batch(rows: int) -> Batch:
    torch.manual_seed(1)
    ids = torch.arange(rows)
    return Batch({"image": torch.rand(rows, 1, 8, 8)}, ids % 4, ids * 7, torch.zeros_like(ids))
