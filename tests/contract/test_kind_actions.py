"""An action that breaks a promise is found out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from broken import broken

from dsray.engine.actions import ActionConfig
from dsray.testing import check_action


class ShrinkConfig(ActionConfig):
    """Right: all weights a little smaller."""

    kind: str = "shrink"

    def act(self, border):
        with torch.no_grad():
            for parameter in border.state.model.parameters():
                parameter.mul_(0.99)
        return {"shrunk": 0.99}


def test_an_action_of_another_package_keeps_its_promises():
    check_action(ShrinkConfig())


@torch.no_grad()
def wandering(self, border):
    border.state.model.answer.add_(torch.randn(border.state.model.answer.shape))
    return {}


def stepping(self, border):
    border.state.global_step += 1
    return {}


def learning(self, border):
    batch = next(border.batches(border.rows))
    border.state.model(batch.inputs, batch.present).logits.sum().backward()
    return {}


def sorting(self, border):
    border.rows[:] = border.rows[::-1].copy()
    return {}


def relabelling(self, border):
    border.data.columns["target"][:] = 0
    return {}


@torch.no_grad()
def remembering(self, border):
    """Pulls the weights back to where they were the last time, which it keeps beside the state."""
    last = getattr(border.state, "last", None)
    border.state.last = border.state.model.answer.clone()
    if last is not None:
        border.state.model.answer.lerp_(last, 0.5)
    return {}


def unwritable(self, border):
    border.state.history.append({"when": np.float32(1)})
    return {}


def forgetful(self, border):
    border.state.task_accuracy.append((0.5,))
    return {}


@pytest.mark.parametrize(
    ("act", "promise"),
    [
        (lambda self, border: None, "it gave None, needs what the history should say"),
        (lambda self, border: {"shrunk": np.float32(0.99)}, "is not JSON"),
        (lambda self, border: {"shrunk": float("nan")}, "is not JSON"),
        (lambda self, border: {"step": 3}, "it says 'step', which the history's line has already"),
        (lambda self, border: {"shrunk": np.random.rand()}, "says something else when it acts again"),
        (wandering, "leaves another state when it acts again"),
        (stepping, "changed the position"),
        (learning, "left a gradient behind"),
        (sorting, "wrote into the rows of the stage"),
        (relabelling, "wrote into the data"),
        (unwritable, "does not go to disk and back"),
        (forgetful, "comes back from disk after it is another one"),
        (remembering, "resumed between two of its times ends otherwise"),
    ],
)
def test_a_broken_action_is_found_out(act, promise):
    with pytest.raises(AssertionError, match=promise):
        check_action(broken(ShrinkConfig, act=act))
