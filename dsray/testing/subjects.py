"""What plug-ins are tried on: small rows, batches and models, and whether a module was left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from dsray.base.batch import Batch
from dsray.data import Facts, Prepared, to_batch
from dsray.data.schema import Schema
from dsray.models import RoutedConfig, RoutedModel

NAME, SIDE, SPLITS = "image", 8, {"train": 48, "validation": 24, "test": 24}


def network() -> nn.Module:
    """A small net in evaluation mode, with buffers, a frozen parameter and gradients of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[1].bias.requires_grad_(False)
    return model.eval()


def attacked(rows: int) -> Batch:
    """Images of four classes."""
    torch.manual_seed(1)
    ids = torch.arange(rows)
    return Batch({"image": torch.rand(rows, 1, SIDE, SIDE)}, ids % 4, ids * 7, torch.zeros_like(ids))


def schema() -> Schema:
    """Grey images of three classes."""
    image = {"kind": "image", "column": "image", "channels": 1, "height": SIDE, "width": SIDE}
    return schema_of({"image": image})


def schema_of(inputs: dict[str, Any]) -> Schema:
    """These inputs, and three classes."""
    return Schema.model_validate({"inputs": inputs, "label": "class", "classes": ["a", "b", "c"]})


def prepared() -> Prepared:
    """Rows of `schema`, every fifth without its image, with the shown column `place`."""
    rng, total = np.random.default_rng(0), sum(SPLITS.values())
    columns = {
        "image": rng.integers(0, 256, (total, 1, SIDE, SIDE), dtype=np.uint8),
        "present.image": np.arange(total) % 5 > 0,
        "target": np.arange(total, dtype=np.int64) % 3,
    }
    ends = np.cumsum(list(SPLITS.values()))
    splits = {name: np.arange(end - SPLITS[name], end) for name, end in zip(SPLITS, ends, strict=True)}
    return Prepared(columns, splits, schema(), "contract", pa.table({"place": np.arange(total) % 2}))


def facts(uneven: bool = False) -> Facts:
    """Of a stage of ten steps on the training rows of `prepared`; uneven: on more of the first class than of the others."""
    data = prepared()
    rows = data.splits["train"]
    return Facts.of(data, rows[(rows % 3 == 0) | (rows < 24)] if uneven else rows, 10)


def batch_of(data: Prepared, rows: int) -> Batch:
    """The first training rows."""
    return to_batch(data.take(data.splits["train"][:rows]), data.schema)


def model_config(**parts: Any) -> RoutedConfig:
    """A routed model of three blocks. parts: of the `model` section."""
    trunk = {"blocks": 3, "heads": 2, "hidden": 16, "experts": {"count": 2, "hidden": 8}}
    image = {"kind": "patch", "width": 16}
    return RoutedConfig.model_validate({"width": 16, "trunk": trunk, "encoders": {"image": image}, **parts})


def routed(config: RoutedConfig | None = None, seed: int = 0) -> RoutedModel:
    """A routed model for the rows of `prepared`, untrained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (config or model_config()).build(schema())


def trace(model: nn.Module) -> dict[str, Any]:
    """All that a guest of the model must leave as it was."""
    state: dict[str, Any] = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state[f"{name}.grad"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name}.requires_grad"] = parameter.requires_grad
    return state | {f"{name}.training": module.training for name, module in model.named_modules()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two traces, or two states, are equal to the bit."""

    def equal(a: Any, b: Any) -> bool:
        return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b

    return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
