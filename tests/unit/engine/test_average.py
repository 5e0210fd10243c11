"""`train.average`: a stage learns the average of its weights; actions act every so many steps, killed or not."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

import pytest
import torch

from dsray.base import RequestError
from dsray.engine import Cadence, LocalWorker, TrainState, fit
from dsray.engine.actions import ActionConfig, AverageConfig, Border
from dsray.engine.checkpoint import latest_checkpoint, load_checkpoint
from dsray.engine.executions import SingleProcess
from dsray.engine.terms import MadryConfig, TermConfig
from dsray.engine.validate import validation_line
from dsray.engine.views import ADVERSARIAL, AVERAGED, CLEAN
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import new_model, train

TRAIN = {"steps": 9, "batch": 32, "log_every": 1, "validate_every": 4, "checkpoint_every": 4}
TREE = {
    "data": {"source": "digits"},
    "augment": {"operations": [{"kind": "gaussian_noise", "sigma": 0.1}]},
    "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
}
ATTACKED = {"stages": [{"steps": 7, "attack": {"kind": "pgd", "steps": 2}, "epsilon": 0.05, "share": 0.4}]}
TASKS = {
    "tasks": [{"name": "a", "classes": ["0", "1"]}, {"name": "b", "classes": ["2", "3"]}],
    "memory": {"rows": 40},
    "ewc": {"rows": 20},
}


def experiment(train=(), **more):
    return Experiment.parse(TREE | {"train": TRAIN | dict(train)} | more)


class Seen(ActionConfig):
    """Keeps what the weights are, and says how often it did."""

    kind: Literal["seen"] = "seen"
    whole: ClassVar[bool] = False
    weights: ClassVar[list[dict[str, Any]]] = []

    def act(self, border: Border) -> dict[str, Any]:
        self.weights.append({name: value.clone() for name, value in border.state.model.state_dict().items()})
        return {"firing": border.firing}


@pytest.fixture
def seen():
    Seen.weights.clear()
    return Seen.weights


def trained(x, digits, stage):
    lines = []
    worker = LocalWorker(digits, x.augment, seed=0, on_line=lines.append)
    state = TrainState(new_model(x, worker))
    fit(state, [stage], worker, SingleProcess(state.model), seed=0, cadence=Cadence(1, 4, 0))
    return state, lines


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(("decay", "every"), [(0.998, 1), (0.5, 1), (0.5, 3), (0.0, 2)])
def test_a_stage_ends_with_the_average_of_its_weights(digits, seen, decay, every):
    """The mean of the weights until the decay is the shorter memory; buffers as they last stood."""
    x = experiment()
    during = ((every, AverageConfig(decay=decay)), (every, Seen()))
    state, _ = trained(x, digits, x.stages(digits)[0].replace(during=during))
    assert len(seen) == 9 // every
    expected = {name: value.double() for name, value in seen[0].items()}
    learned = {name for name, _ in state.model.named_parameters()}
    for n, weights in enumerate(seen[1:], 2):
        kept = min(decay, 1 - 1 / n)
        for name, value in weights.items():
            new = value.double()
            expected[name] = kept * expected[name] + (1 - kept) * new if name in learned else new
    found = state.model.state_dict()
    assert all(torch.allclose(found[name].double(), value, atol=1e-6) for name, value in expected.items())
    assert decay == 0 or not equal(found, seen[-1])
    assert state.average == {}  # the next stage begins anew


def test_an_action_acts_every_so_many_steps_and_the_history_says_so(digits, seen):
    x = experiment()
    stage = x.stages(digits)[0].replace(during=((4, Seen()),))
    _, lines = trained(x, digits, stage)
    said = [(line["stage_step"], line["action"], line["firing"]) for line in lines if line["kind"] == "action"]
    assert said == [(4, "seen", 1), (8, "seen", 2)]


def test_validations_judge_the_average_and_keep_the_best_of_it(digits, tmp_path):
    """What is judged at the best step is what the stage ends with."""
    policies = [{"kind": "plateau", "metric": "loss", "patience": 50}]
    rates = {"schedule": {"kind": "constant", "value": 0.05}}
    x = experiment({"average": {"decay": 0.7}, "policies": policies, "steps": 24, "rates": rates})
    files = TrainingFiles(tmp_path)
    lines = []
    worker = LocalWorker(digits, x.augment, seed=0, folder=tmp_path, on_line=lines.append)
    model = train(x, worker, files=files)
    (end,) = (line for line in lines if line["kind"] == "stage" and line["event"] == "end")
    best = next(line for line in lines if line["kind"] == "validation" and line["step"] == end["best"]["step"])
    assert end["best"]["value"] == best["loss"] == min(line["loss"] for line in lines if line["kind"] == "validation")
    judged = validation_line(model, LocalWorker(digits, x.augment, seed=0), SingleProcess(model))
    assert judged["loss"] == pytest.approx(best["loss"], abs=1e-9) and judged["expert_load"] == best["expert_load"]


def test_the_averaged_view_is_that_of_a_model_with_those_weights(digits):
    x = experiment()
    worker = LocalWorker(digits, x.augment, seed=0)
    model, other = new_model(x, worker), new_model(x.replace(seed=1), worker)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    execution = SingleProcess(model)
    found = validation_line(model, worker, execution, other.state_dict())
    assert found == validation_line(other, worker, SingleProcess(other))
    assert found != validation_line(model, worker, execution)
    assert equal(before, model.state_dict())


class Killed(Exception):
    pass


def run(x, digits, folder, die_at=None):
    def on_line(line):
        if line["kind"] == "step" and line["step"] == die_at:
            raise Killed

    files = TrainingFiles(folder)
    resume_history(files)
    return train(x, LocalWorker(digits, x.augment, seed=0, folder=folder, on_line=on_line), files=files).state_dict()


def figures(folder):
    read = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time_s", "crc")} for line in read]


def test_a_killed_training_with_an_average_ends_as_an_undisturbed_one(digits, tmp_path):
    """Attacks, replay, EWC, parts and best weights beside it; checkpoints at steps 4, 8, ..., the average at 3, 6, ... of a stage."""
    x = experiment(
        {"average": {"decay": 0.9, "every": 3}, "accumulate": 2, "policies": ["plateau"]},
        adversarial=ATTACKED,
        continual=TASKS,
    )
    undisturbed = run(x, digits, tmp_path / "whole")
    for die_at in (5, 10, 14, 19, 23, 30):
        with pytest.raises(Killed):
            run(x, digits, tmp_path / "killed", die_at)
    assert equal(undisturbed, run(x, digits, tmp_path / "killed"))
    assert figures(tmp_path / "killed") == figures(tmp_path / "whole")


def test_the_average_is_in_the_checkpoint(digits, tmp_path):
    x = experiment({"average": {}})
    with pytest.raises(Killed):
        run(x, digits, tmp_path, die_at=6)
    tensors, _ = load_checkpoint(latest_checkpoint(tmp_path / "checkpoints"))
    model = {name.removeprefix("model/") for name in tensors if name.startswith("model/")}
    assert {name.removeprefix("average/") for name in tensors if name.startswith("average/")} == model
    assert not torch.equal(tensors["average/head.linear.weight"], tensors["model/head.linear.weight"])


def test_without_average_a_checkpoint_is_as_before(digits, tmp_path):
    run(experiment(), digits, tmp_path)
    tensors, _ = load_checkpoint(latest_checkpoint(tmp_path / "checkpoints"))
    assert {name.split("/")[0] for name in tensors} == {"model", "optimizer"}


class Taught(TermConfig):
    """The distance from the average's answer."""

    kind: Literal["taught"] = "taught"

    @property
    def views(self):
        return (CLEAN, AVERAGED)

    def build(self, facts):
        return lambda context: (context[CLEAN].logits - context[AVERAGED].logits).square().sum(-1)


def test_a_term_reads_the_average_where_there_is_one(digits):
    x = experiment()
    (stage,) = x.stages(digits)
    with pytest.raises(ValueError, match=r"terms.1: 'taught' reads the average, and nothing averages; give during"):
        stage.replace(terms=(*stage.terms, Taught()))
    taught = stage.replace(terms=(*stage.terms, Taught()), during=((1, AverageConfig()),))
    _, lines = trained(x, digits, taught)
    pulls = [line["term/taught"] for line in lines if line["kind"] == "step"]
    assert pulls[:2] == [0.0, 0.0] and min(pulls[2:]) > 0  # the average begins as the weights themselves


class Seer(MadryConfig):
    """Adversarial training that reads the average."""

    kind: Literal["test_average:Seer"] = "test_average:Seer"

    @property
    def views(self):
        return (ADVERSARIAL, AVERAGED)


def test_a_loss_that_reads_the_average_is_refused_where_nothing_averages(digits):
    attacked = {"stages": [ATTACKED["stages"][0] | {"loss": Seer()}]}
    assert len(experiment({"average": {}}, adversarial=attacked).stages(digits)) == 2
    with pytest.raises(RequestError) as error:
        experiment(adversarial=attacked)
    assert str(error.value) == (
        "adversarial.stages.0.loss: 'test_average:Seer' reads the average of the weights; give train.average"
    )


@pytest.mark.parametrize(
    ("average", "sentence"),
    [
        ({"decay": 1.0}, "train.average.decay: "),
        ({"decay": -0.1}, "train.average.decay: "),
        ({"every": 0}, "train.average.every: "),
        ({"deca": 0.9}, "train.average.deca: unknown key"),
        ({"every": 10}, "train.average.every: 10 is more than the 9 steps of stage clean, which would have no average"),
    ],
)
def test_an_average_that_is_none_is_refused(digits, average, sentence):
    with pytest.raises(RequestError) as error:
        experiment({"average": average}).stages(digits)
    assert str(error.value).startswith(sentence)
