"""The promises of optimisers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from dsray.optim import OptimizerConfig, load_named_state, named_state
from dsray.optim.optimizer import set_rate
from dsray.testing.settings import check_round_trip

RATE = 1e-2
SCALES = {"stem.weight": 1.0, "head.weight": 0.25, "head.bias": 0.25, "still.weight": 0.0, "unused.weight": 1.0}


def check_optimizer(config: OptimizerConfig) -> None:
    """It goes down, at the rate that each group is given, and goes on from disk as if it had never stopped.

    One step lowers a quadratic; a smaller scale moves less, a scale or a rate of 0 not at all; a parameter without a
    gradient stays; biases do not decay; its state comes back by parameter name, in any order, to the bit.
    """
    check_round_trip(config)
    parameters = _parameters()
    optimizer = config.build(parameters, SCALES)
    names = [name for group in optimizer.param_groups for name in group.get("names", ())]
    assert sorted(names) == sorted(parameters), f"its groups name {sorted(names)}, needs each of {sorted(parameters)}"
    for group in optimizer.param_groups:
        scales = {SCALES[name] for name in group["names"]}
        assert scales == {group.get("scale")}, f"a group of scale {group.get('scale')} holds parameters of {scales}"
    before = _copy(parameters)
    _step(optimizer, parameters, rate=0.0)
    assert _equal(before, parameters), "it moves at a rate of 0"
    _check_step(config)
    _check_resume(config)


def _check_step(config: OptimizerConfig) -> None:
    parameters = _parameters()
    optimizer = config.build(parameters, SCALES)
    before, losses = _copy(parameters), [_loss(parameters)]
    _step(optimizer, parameters)
    moved = {name: float((value.detach() - before[name]).abs().max()) for name, value in parameters.items()}
    losses.append(_loss(parameters))
    assert losses[1] < losses[0], f"a step raised a quadratic from {losses[0]:g} to {losses[1]:g}"
    assert moved["unused.weight"] == 0, "it moved a parameter that has no gradient"
    assert moved["still.weight"] == 0, "it moved a parameter whose rate has the scale 0"
    assert moved["head.weight"] < moved["stem.weight"], "a smaller scale did not make a smaller step"
    bias = parameters["head.bias"]
    still, fresh = bias.detach().clone(), config.build(parameters, SCALES)
    bias.grad = torch.zeros_like(bias)
    set_rate(fresh, RATE)
    fresh.step()
    assert torch.equal(bias.detach(), still), "a bias decays"


def _check_resume(config: OptimizerConfig) -> None:
    parameters = _parameters()
    optimizer = config.build(parameters, SCALES)
    for _ in range(3):
        _step(optimizer, parameters)
    state = named_state(optimizer)
    assert all(name.rpartition("/")[0] in parameters for name in state), "its state is not kept by parameter"
    again = {name: nn.Parameter(value) for name, value in reversed(_copy(parameters).items())}
    resumed = config.build(again, SCALES)
    load_named_state(resumed, load(save({name: value.contiguous() for name, value in state.items()})))
    assert _equal(state, named_state(resumed)), "its state does not come back from disk as it was"
    for _ in range(3):
        _step(optimizer, parameters)
        _step(resumed, again)
    assert _equal(parameters, again), "it goes on otherwise from its state on disk than without a stop"


def _parameters() -> dict[str, nn.Parameter]:
    """Equal values, so that steps compare."""
    shapes = {name: (4,) if name.endswith("bias") else (4, 3) for name in SCALES}
    return {name: nn.Parameter(torch.full(shape, 2.0)) for name, shape in shapes.items()}


def _loss(parameters: Mapping[str, Tensor]) -> float:
    with torch.no_grad():
        return float(sum(value.square().sum() for value in parameters.values()))


def _step(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter], rate: float = RATE) -> None:
    """A step down the sum of squares; `unused.weight` has no gradient."""
    for name, parameter in parameters.items():
        parameter.grad = None if name.startswith("unused") else 2 * parameter.detach()
    set_rate(optimizer, rate)
    optimizer.step()


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
