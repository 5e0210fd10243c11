"""What all optimisers share: groups of equal rate, and a state that is kept by parameter name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from dsray.base import Plugin


class OptimizerConfig(Plugin):
    """Base of all optimisers."""

    weight_decay: float = Field(
        0.01, ge=0, description="decay of weight matrices; biases, norms, embeddings and positions have none"
    )

    def make(self, groups: list[dict]) -> torch.optim.Optimizer:
        """The optimiser over ready-made parameter groups."""
        raise NotImplementedError

    def build(self, parameters: Mapping[str, nn.Parameter], scales: Mapping[str, float]) -> torch.optim.Optimizer:
        """One group per (scale, decayed or not); a group keeps its `scale` and the `names` of its parameters."""
        groups: dict[tuple[float, bool], dict] = defaultdict(lambda: {"params": [], "names": []})
        for name, parameter in parameters.items():
            group = groups[scales[name], decays(name, parameter)]
            group["params"].append(parameter)
            group["names"].append(name)
        return self.make(
            [
                {**group, "scale": scale, "lr": 0.0, "weight_decay": self.weight_decay if decayed else 0.0}
                for (scale, decayed), group in sorted(groups.items(), key=lambda item: item[0])
            ]
        )


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to weight matrices, also stacked ones, by what they are and not by shape alone.

    Biases (those of experts are stacked to two dimensions), norms and scales, embeddings and positions have none.
    """
    own = name.split(".")[-2:]  # the parameter and the module that holds it
    spared = own[-1].endswith("bias") or any("embed" in word or "position" in word for word in own)
    return parameter.ndim >= 2 and not spared


def named_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as `parameter name/state name`, free of the order of groups."""
    named = {}
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            for key, value in optimizer.state.get(parameter, {}).items():
                named[f"{name}/{key}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    return named


def load_named_state(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> None:
    """Put back what `named_state` gave; parameters that it does not know start afresh."""
    by_name: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for path, value in named.items():
        name, _, key = path.rpartition("/")
        by_name[name][key] = value
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            if name in by_name:  # torch counts steps on the CPU, except where one kernel does the whole update
                steps_on = parameter.device if group.get("fused") else torch.device("cpu")
                optimizer.state[parameter] = {
                    key: value.to(steps_on if value.ndim == 0 else parameter.device, copy=True)
                    for key, value in by_name[name].items()
                }


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give each group `rate` times its scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
