"""A step has views, each computed once, and is cut into parts that see what the whole sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch

from dsray.base import RequestError
from dsray.data import to_batch
from dsray.data.facts import Facts
from dsray.engine import LocalWorker, TrainState
from dsray.engine.executions import Pipeline
from dsray.engine.ready import ReadyStage
from dsray.engine.terms import MadryConfig, TermConfig
from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig
from dsray.experiment import Experiment
from dsray.runner.training import new_model

ROWS = 32


def step(digits, *, loss="madry", share=0.5):
    """The first step of an attacked stage."""
    stage = {
        "name": "pgd",
        "steps": 4,
        "attack": {"kind": "pgd", "steps": 2},
        "epsilon": 0.1,
        "loss": loss,
        "share": share,
    }
    x = Experiment.parse(
        {
            "data": {"source": "digits"},
            "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
            "train": {"steps": 3, "batch": ROWS},
            "adversarial": {"stages": [stage]},
        }
    )
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)).train())
    ready = ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    return ready.context(state, to_batch(digits.take(digits.splits["train"][:ROWS]), digits.schema), state.model)


@pytest.mark.parametrize("loss", ["madry", "trades"])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_parts_see_what_the_whole_sees(digits, loss, share):
    whole, cut = step(digits, loss=loss, share=share), step(digits, loss=loss, share=share)
    attacked, clean = whole[ADVERSARIAL], whole[CLEAN]
    found = list(cut.parts(4))
    assert [len(part.batch) for part in found] == [8] * 4
    for view, output in ((ADVERSARIAL, attacked), (CLEAN, clean)):
        logits = torch.cat([part[view].logits for part in found])
        assert torch.allclose(logits, output.logits, atol=1e-5)
    assert torch.equal(cut.expert_load(), whole.expert_load())
    moved = torch.cat([part.adversarial_batch.inputs["image"] for part in found])
    assert torch.allclose(moved, whole.adversarial_batch.inputs["image"], atol=1e-5)


def test_one_part_is_the_step_itself(digits):
    whole = step(digits)
    assert list(whole.parts(1)) == [whole]


def test_a_view_is_run_once(digits):
    runs = []

    class Counted(ViewConfig):
        kind: Literal["counted"] = "counted"

        def run(self, context):
            runs.append(len(context.batch))
            return replace(context[CLEAN])

    whole = step(digits)
    assert whole[Counted()] is whole[Counted()]
    assert runs == [ROWS]
    assert whole.seen == (CLEAN, Counted())


class Blind(TermConfig):
    """Reads a view of its own."""

    kind: Literal["blind"] = "blind"

    @property
    def views(self):
        return (Mirror(),)


class Mirror(ViewConfig):
    kind: Literal["mirror"] = "mirror"


def test_what_cannot_be_seen_is_refused(digits):
    x = Experiment.parse({"data": {"source": "digits"}, "model": {}, "train": {"steps": 3}})
    (stage,) = x.stages(digits)
    with pytest.raises(ValueError, match=r"terms.0: 'madry' reads adversarial rows, and nothing attacks"):
        stage.replace(terms=(MadryConfig(),))
    pipeline = Pipeline.__new__(Pipeline)  # no process beside this one
    pipeline.check(stage)
    with pytest.raises(
        RequestError, match=r"parallel.pipeline: 'blind' reads the view 'mirror', which needs the whole"
    ):
        pipeline.check(stage.replace(terms=(Blind(),)))
