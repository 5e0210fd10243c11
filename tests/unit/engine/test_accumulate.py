"""`train.accumulate`: a batch goes through the model in parts, and the step is the same."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
import torch

from dsray.base import RequestError
from dsray.data import to_batch
from dsray.data.facts import Facts
from dsray.engine import LocalWorker, TrainState
from dsray.engine.executions import SingleProcess
from dsray.engine.ready import ReadyStage
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import new_model, train

TRAIN = {"steps": 6, "batch": 32, "log_every": 1, "validate_every": 4, "checkpoint_every": 4}
TREE = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
    "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
    "continual": {
        "tasks": [{"name": "a", "classes": ["0", "1"]}, {"name": "b", "classes": ["2", "3"]}],
        "memory": {"rows": 40},
        "ewc": {"rows": 20},
    },
}


def experiment(accumulate, loss="madry", **more):
    stage = {
        "name": "pgd",
        "steps": 6,
        "attack": {"kind": "pgd", "steps": 2},
        "epsilon": 0.05,
        "share": 0.4,
        "loss": loss,
    }
    # sgd: Adam turns the rounding of a gradient that should be 0 into a whole step
    plain = {"optimizer": {"kind": "sgd"}, "rates": {"schedule": {"kind": "constant", "value": 0.1}}}
    return Experiment.parse(
        TREE | {"train": TRAIN | plain | {"accumulate": accumulate}, "adversarial": {"stages": [stage]}} | more
    )


def one_step(digits, loss, accumulate):
    """The last stage's first step: replayed rows, an anchor, a part of the rows attacked."""
    x = experiment(1, loss)
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)).train())
    state.memory.size = 40
    state.memory.add_task(digits.splits["train"][:40], digits.columns["target"][digits.splits["train"][:40]], 0)
    ready = ReadyStage(x.stages(digits)[-1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    context = ready.context(state, to_batch(digits.take(digits.splits["train"][:32]), digits.schema), state.model)
    execution = SingleProcess(state.model, accumulate=accumulate)
    losses = execution.forward_backward(context, ready.terms, 32)
    grads = {n: p.grad for n, p in state.model.named_parameters() if p.grad is not None}
    return losses, grads, execution.expert_load(context)


@pytest.mark.parametrize("loss", ["madry", "trades"])
@pytest.mark.parametrize("accumulate", [2, 8, 32])
def test_the_gradients_of_parts_add_up(digits, loss, accumulate):
    losses, grads, load = one_step(digits, loss, 1)
    of_parts, found, load_of_parts = one_step(digits, loss, accumulate)
    assert of_parts.keys() == losses.keys()
    for name, value in losses.items():
        assert float(of_parts[name]) == pytest.approx(float(value), abs=1e-6)
    assert found.keys() == grads.keys() and len(grads) > 20
    assert all(torch.allclose(found[name], grads[name], atol=1e-6) for name in grads)
    assert torch.equal(load_of_parts, load) and int(load.sum()) > 0


def test_what_a_part_holds_is_free_before_the_next_one(digits):
    x = experiment(1)
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)).train())
    ready = ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    held, alive = [], []

    def watching(context):
        gc.collect()
        alive.append(sum(kept() is not None for kept in held))
        logits = [term(context) for _, _, term in ready.terms]
        held.extend(weakref.ref(context[view].logits) for view in context.seen)
        held.extend((weakref.ref(context), weakref.ref(context.adversarial_batch.inputs["image"])))
        return sum(logits)

    context = ready.context(state, to_batch(digits.take(digits.splits["train"][:32]), digits.schema), state.model)
    SingleProcess(state.model, accumulate=4).forward_backward(context, [("task", lambda step: 1.0, watching)], 32)
    assert alive == [0, 0, 0, 0]
    assert len(held) == 4 * 4


def weights(x, digits):
    return train(x, LocalWorker(digits, x.augment, seed=0)).state_dict()


def test_a_whole_training_in_parts_ends_as_in_one_pass(digits):
    whole, parts = (weights(experiment(n), digits) for n in (1, 4))
    assert all(torch.allclose(parts[name].float(), value.float(), atol=1e-4) for name, value in whole.items())


class Killed(Exception):
    pass


def test_a_killed_training_in_parts_ends_as_an_undisturbed_one(digits, tmp_path):
    x = experiment(4)

    def run(folder, die_at=None):
        def on_line(line):
            if line["kind"] == "step" and line["step"] == die_at:
                raise Killed

        files = TrainingFiles(folder)
        resume_history(files)
        return train(x, LocalWorker(digits, x.augment, seed=0, folder=folder, on_line=on_line), files=files)

    undisturbed = run(tmp_path / "whole").state_dict()
    for die_at in (6, 15, 23):
        with pytest.raises(Killed):
            run(tmp_path / "killed", die_at)
    resumed = run(tmp_path / "killed").state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in undisturbed.items())

    def lines(folder):
        read = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k not in ("time_s", "crc")} for line in read]

    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")


@pytest.mark.parametrize(
    ("accumulate", "parallel", "sentence"),
    [
        (0, {}, "train.accumulate: "),
        (5, {}, "train.accumulate: 1 x 5 (parallel.workers x train.accumulate) do not divide train.batch (32)"),
        (
            32,
            {"workers": 2},
            "train.accumulate: 2 x 32 (parallel.workers x train.accumulate) do not divide train.batch",
        ),
        (
            16,
            {"pipeline": 2, "microbatches": 4},
            "train.accumulate: 1 x 16 x 4 (parallel.workers x train.accumulate x parallel.microbatches) do not divide",
        ),
    ],
)
def test_parts_that_do_not_divide_the_batch_are_refused(accumulate, parallel, sentence):
    with pytest.raises(RequestError) as error:
        Experiment.parse(
            {
                "data": {"source": "digits"},
                "model": {},
                "train": TRAIN | {"accumulate": accumulate},
                "parallel": parallel,
            }
        )
    assert str(error.value).startswith(sentence)
