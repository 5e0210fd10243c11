"""What plug-ins are tried on: a small network and a batch of images, and whether a module was left as it was."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dsray.base.batch import Batch


def network() -> nn.Module:
    """A small net in evaluation mode, with buffers, a frozen parameter and gradients of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[1].bias.requires_grad_(False)
    return model.eval()


def trace(model: nn.Module) -> dict[str, Any]:
    """All that an attack must leave as it was."""
    state: dict[str, Any] = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state[f"{name}.grad"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name}.requires_grad"] = parameter.requires_grad
    return state | {f"{name}.training": module.training for name, module in model.named_modules()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    def equal(a: Any, b: Any) -> bool:
        return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b

    return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())


def images(rows: int) -> Batch:
    torch.manual_seed(1)
    ids = torch.arange(rows)
    return Batch({"image": torch.rand(rows, 1, 8, 8)}, ids % 4, ids * 7, torch.zeros_like(ids))
