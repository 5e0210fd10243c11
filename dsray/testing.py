"""The promises of plug-ins, for their authors: `check_attack(MyAttackConfig())` raises AssertionError where one is broken."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dsray.attacks import AttackConfig, perturb
from dsray.augment import OperationConfig, augment
from dsray.base import Plugin, RequestError
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss
from dsray.base.schedules import ScheduleConfig
from dsray.data.schema import ImageSpec, Schema, TextSpec
from dsray.models import ModelConfig, load_model, save_model
from dsray.models.encoders import EncoderConfig

EPSILON = 0.1


def check_round_trip(config: Plugin) -> None:
    """A config survives its own JSON."""
    text = json.dumps(config.model_dump(mode="json"))
    assert type(config).model_validate(json.loads(text)) == config, "the config changes in its own JSON"


def check_attack(config: AttackConfig) -> None:
    """In the ball and the range, finite, repeatable, the same in any company, and without a trace in the model.

    Raises AssertionError that says which promise is broken, RunFailure for images of another shape or not finite.
    """
    check_round_trip(config)
    model, batch = _model(), _batch(24)
    clean, proposed = batch.inputs["image"], []

    def attack(
        model: Classifier, batch: Batch, epsilon: float, loss: RowLoss | None, *, seed: int, stop_early: bool
    ) -> Batch:
        proposed.append(built(model, batch, epsilon, loss, seed=seed, stop_early=stop_early))
        return proposed[-1]

    built, before = config.build(), _trace(model)
    first = perturb(attack, model, batch, EPSILON, seed=3).inputs["image"]
    assert _same(before, _trace(model)), "the attack changed the model: parameters, buffers, gradients, flags or mode"
    assert set(proposed[0].inputs) == set(batch.inputs), "the attack dropped or added a modality"
    assert torch.equal(batch.inputs["image"], _batch(24).inputs["image"]), "the attack wrote into its input"
    for name in ("target", "rows", "epochs"):
        assert torch.equal(getattr(proposed[0], name), getattr(batch, name)), f"the attack changed '{name}'"
    assert float((first - clean).abs().max()) <= EPSILON + 1e-6, "an image left the ball"
    assert float(first.min()) >= 0, "an image left the range [0, 1]"
    assert float(first.max()) <= 1, "an image left the range [0, 1]"
    again = perturb(config.build(), model, batch, EPSILON, seed=3).inputs["image"]
    assert torch.equal(first, again), "the attack gives another result when repeated"
    _check_company(config, model, batch)
    _check_other_losses(config, model, batch)
    before = _trace(model.train())
    perturb(config.build(), model, batch, EPSILON, seed=3)
    assert _same(before, _trace(model)), "the attack changed a model in training mode: its mode or batch statistics"


def _check_company(config: AttackConfig, model: nn.Module, batch: Batch) -> None:
    """A row's result is its own, whether rows may leave early or not."""
    part = torch.tensor([5, 2, 17])
    for early in (False, True):
        whole = perturb(config.build(), model, batch, EPSILON, seed=3, stop_early=early).inputs["image"]
        alone = perturb(config.build(), model, batch.select(part), EPSILON, seed=3, stop_early=early).inputs["image"]
        assert torch.allclose(alone, whole[part], atol=1e-5), "a row's result depends on its company"


def _check_other_losses(config: AttackConfig, model: nn.Module, batch: Batch) -> None:
    """A loss that closes over the rows of the batch always sees all of them, in order."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        assert torch.equal(target, batch.target), "a given loss was asked about other rows than those of the batch"
        return logits[:, 0]

    perturb(config.build(), model, batch, EPSILON, loss=loss, seed=3)


def check_operation(config: OperationConfig) -> None:
    """Rows, dtypes, shapes and range kept; repeatable; a row's result depends on seed, stage, row and epoch alone."""
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
    first = augment(dict(columns), [operation], 7, "stage")
    again = augment(dict(columns), [operation], 7, "stage")
    for name, values in columns.items():
        assert first[name].shape == values.shape, f"{name} changed its shape"
        assert first[name].dtype == values.dtype, f"{name} changed its dtype"
        assert np.array_equal(first[name], again[name]), f"{name} differs when repeated"
    assert 0 <= first["image"].min() <= first["image"].max() <= 1, "an image left the range [0, 1]"
    absent = np.logical_not(columns["present.image"])
    assert np.array_equal(first["image"][absent], columns["image"][absent]), "an absent image was changed"
    part = np.array([9, 3, 14])
    alone = augment({k: v[part] for k, v in columns.items()}, [operation], 7, "stage")
    assert np.array_equal(alone["image"], first["image"][part]), "a row's result depends on its company"


def check_encoder(config: EncoderConfig, spec: ImageSpec | TextSpec) -> None:
    """Tokens of the promised shape, a row's own; built on the meta device too; the same, trained, when back from disk.

    spec: an input that it reads. Raises AssertionError that says which promise is broken.
    """
    check_round_trip(config)
    name, image = ("image", spec) if isinstance(spec, ImageSpec) else ("text", None)
    schema = Schema(image=image, text=spec if isinstance(spec, TextSpec) else None, label="y", classes=("a", "b"))
    try:
        with torch.device("meta"):
            config.build(spec)  # type: ignore[attr-defined]
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(f"build does not work on the meta device ({error}); weights come in pretrained") from error
    torch.manual_seed(0)
    model_config = ModelConfig.model_validate({"encoders": {name: config}})
    model = model_config.build(schema)
    model_config.pretrained(model)
    encoder, values = model.eval().encoders[name], _values(spec, 6)
    with torch.no_grad():
        tokens, mask = encoder(values), encoder.mask(values)  # type: ignore[operator]
        assert tokens.shape == (6, encoder.tokens, encoder.width), f"gave tokens of shape {tuple(tokens.shape)}"
        assert mask.shape == (6, encoder.tokens), f"gave a mask of shape {tuple(mask.shape)}"
        part = torch.tensor([4, 1])
        assert torch.allclose(encoder(values[part]), tokens[part], atol=1e-5), "a row's tokens depend on its company"
    trained = encoder.train()(values)
    if trained.requires_grad:  # one that is frozen as a whole has nothing to learn
        trained.square().mean().backward()
        torch.optim.SGD(encoder.parameters(), lr=1e-3).step()
    with torch.no_grad():
        tokens = encoder.eval()(values)
        with tempfile.TemporaryDirectory() as scratch:
            save_model(Path(scratch) / "model", model, model_config, schema)
            try:
                again = load_model(Path(scratch) / "model", expected=model_config)[0]
            except RequestError as error:
                raise AssertionError(
                    f"the encoder does not come back from disk when it was trained ({error})"
                ) from None
        same = torch.equal(again.encoders[name](values), tokens)
        assert same, "the encoder that comes back from disk gives other tokens"


def _values(spec: ImageSpec | TextSpec, rows: int) -> Tensor:
    """Rows of an input, no two the same."""
    torch.manual_seed(1)
    if isinstance(spec, ImageSpec):
        return torch.rand(rows, spec.channels, spec.height, spec.width)
    return torch.randint(0, spec.vocabulary, (rows, spec.length))


def check_schedule(config: ScheduleConfig) -> None:
    """Finite at every step of short and long stretches, and a function of the step alone."""
    check_round_trip(config)
    for steps in (1, 2, 7, 1000):
        schedule = config.build(steps)
        values = [schedule(step) for step in range(steps)]
        assert all(math.isfinite(value) for value in values), f"not finite over {steps} steps"
        backward = [schedule(step) for step in reversed(range(steps))]
        assert values == backward[::-1], "the value at a step depends on what was asked before"


def _model() -> nn.Module:
    """A small net in evaluation mode, with buffers, a frozen parameter and gradients of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[1].bias.requires_grad_(False)
    return model.eval()


def _trace(model: nn.Module) -> dict[str, Any]:
    """All that an attack must leave as it was."""
    state: dict[str, Any] = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state[f"{name}.grad"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name}.requires_grad"] = parameter.requires_grad
    return state | {f"{name}.training": module.training for name, module in model.named_modules()}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    def equal(a: Any, b: Any) -> bool:
        return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b

    return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())


def _batch(rows: int) -> Batch:
    torch.manual_seed(1)
    ids = torch.arange(rows)
    return Batch({"image": torch.rand(rows, 1, 8, 8)}, ids % 4, ids * 7, torch.zeros_like(ids))
