"""The promises of actions."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dsray.augment import AugmentConfig
from dsray.engine import Cadence, LocalWorker, Stage, TrainState, fit
from dsray.engine.actions import ActionConfig, Border
from dsray.engine.checkpoint import load_checkpoint, save_checkpoint
from dsray.engine.executions import SingleProcess
from dsray.engine.terms import TaskConfig
from dsray.optim import Rates, SgdConfig
from dsray.optim.optimizer import set_rate
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import batch_of, prepared, routed, same

LINE = ("kind", "step", "total", "stage", "stage_step", "stage_steps", "rows", "time_s", "event")
"""What the line of a border in the history says already."""


def check_action(config: ActionConfig) -> None:
    """What it says of a border is JSON; what it does depends on the border alone and goes to disk and back.

    At the beginning of a training and later: it leaves the position, the data and no gradient behind, and the next
    stage can begin. A stage in which it acts every second step ends the same when it was resumed between two of them.
    Rows have the classes a, b and c, and a shown column `place` of 0 and 1.
    """
    check_round_trip(config)
    for steps in (0, 3):
        state, said = _after(config, steps, seed=0)
        again, said_again = _after(config, steps, seed=1)
        assert _text(said) == _text(said_again), "it says something else when it acts again on an equal state"
        assert _alike(state, again), "it leaves another state when it acts again on an equal one"
        _check_kept(state)
        _train(state, 1)
    _check_during(config)


def _after(config: ActionConfig, steps: int, seed: int) -> tuple[TrainState, dict[str, Any]]:
    """The state after the action, and what it said. steps: trained before. seed: of draws that belong to nothing."""
    data = prepared()
    before = {name: values.copy() for name, values in data.columns.items()}
    state = TrainState(routed())
    if steps:
        _train(state, steps)
    state.stage, state.step, state.global_step = 1, steps, steps
    rows = data.splits["train"].copy()
    torch.manual_seed(seed)
    np.random.seed(seed)
    said = config.act(Border(state, data, rows, 5, "stage"))
    assert isinstance(said, dict), f"it gave {said!r}, needs what the history should say"
    _text(said)
    taken = [name for name in LINE if name in said]
    assert not taken, f"it says '{', '.join(taken)}', which the history's line has already"
    assert (state.stage, state.step, state.global_step) == (1, steps, steps), "it changed the position in the training"
    assert np.array_equal(rows, data.splits["train"]), "it wrote into the rows of the stage"
    assert all(np.array_equal(values, before[name]) for name, values in data.columns.items()), "it wrote into the data"
    left = [name for name, parameter in state.model.named_parameters() if parameter.grad is not None]
    assert not left, f"it left a gradient behind ({left[0] if left else ''}), which the next step would add to its own"
    return state, said


def _text(said: dict[str, Any]) -> str:
    try:
        return json.dumps(said, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"what it says is not JSON ({error})") from None


def _train(state: TrainState, steps: int) -> None:
    """Some steps on the clean rows, with the optimiser that a stage begins with."""
    parameters = dict(state.model.named_parameters())
    optimizer = SgdConfig().build(parameters, dict.fromkeys(parameters, 1.0))
    state.renew_optimizer(optimizer)
    set_rate(optimizer, 1e-2)
    batch = batch_of(prepared(), 12)
    for _ in range(steps):
        logits = state.model.train()(batch.inputs, batch.present).logits
        state.model.likelihood.loss(logits, batch.target).mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _check_kept(state: TrainState) -> None:
    tensors, plain = state.state_dict()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = load_checkpoint(save_checkpoint(Path(scratch), 1, tensors, plain))
            back = TrainState(routed(seed=1))
            back.load_state_dict(*found)
        except Exception as error:  # a plug-in may leave anything in the state
            raise AssertionError(f"the state does not go to disk and back after it ({error})") from error
    assert _alike(state, back), "the state that comes back from disk after it is another one"


def _check_during(config: ActionConfig) -> None:
    stage = Stage(
        name="stage",
        steps=7,
        batch=12,
        optimizer=SgdConfig(),
        rates=Rates(),
        terms=(TaskConfig(),),
        during=((2, config),),
    )
    with tempfile.TemporaryDirectory() as scratch:
        whole = _fitted(TrainState(routed()), stage, Path(scratch))
        resumed = TrainState(routed(seed=1))
        resumed.load_state_dict(*load_checkpoint(Path(scratch) / "checkpoints" / "step-000005"))
        assert _alike(whole, _fitted(resumed, stage, None)), (
            "a stage that is resumed between two of its times ends otherwise"
        )


def _fitted(state: TrainState, stage: Stage, folder: Path | None) -> TrainState:
    """The state at the end of the stage; in the folder, it was kept at step 5."""
    worker = LocalWorker(prepared(), AugmentConfig(), seed=0, folder=folder)
    fit(state, [stage], worker, SingleProcess(state.model), seed=0, cadence=Cadence(0, 0, 5))
    return state


def _alike(one: TrainState, other: TrainState) -> bool:
    (tensors, plain), (others, plain_of_other) = one.state_dict(), other.state_dict()
    return same(tensors, others) and plain == plain_of_other
