"""The loop: regimes, resume, multiplication of sections, continual learning."""

from __future__ import annotations

import itertools
import json
from typing import get_args

import numpy as np
import pytest
import torch

from dsray.attacks import FgsmConfig, cross_entropy, margin, perturb
from dsray.base import RequestError, one_of
from dsray.data import Draws, Facts, Shuffled, to_batch
from dsray.engine import LocalWorker, TrainState
from dsray.engine.actions import AnyAction
from dsray.engine.checkpoint import checkpoints, latest_checkpoint
from dsray.engine.ready import ReadyStage
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train

BASE = {
    "data": {"source": "digits"},
    "model": {
        "width": 32,
        "encoders": {"image": {"kind": "patch", "width": 32}, "text": {"kind": "tokens", "width": 32}},
    },
    "train": {"steps": 12, "batch": 32, "validate_every": 6, "checkpoint_every": 5, "log_every": 2},
}


def experiment(**sections):
    return Experiment.parse({**BASE, **sections})


class Killed(Exception):
    pass


def run(x, data, folder=None, die_at=None, undefended=False):
    lines = []

    def on_line(line):
        lines.append(line)
        if die_at is not None and line["step"] >= die_at and line["kind"] == "step":
            raise Killed

    files = TrainingFiles(folder) if folder else None
    if files:
        resume_history(files)
    worker = LocalWorker(data, x.augment, seed=x.seed, folder=folder, on_line=on_line)
    return train(x, worker, files=files, undefended=undefended), lines


ADVERSARIAL = {
    "baseline": True,
    "stages": [
        {"name": "pgd", "steps": 8, "attack": {"kind": "pgd", "steps": 2}, "epsilon": {"kind": "linear", "end": 0.1}}
    ],
}
CONTINUAL = {
    "tasks": [{"name": "low", "classes": ["0", "1", "2"]}, {"name": "high", "classes": ["3", "4", "5"]}],
    "memory": {"rows": 30},
    "ewc": {"rows": 20},
}


def test_sections_multiply(digits):
    x = experiment(adversarial=ADVERSARIAL, continual=CONTINUAL, finetune={"unfreeze": [["head", "exits"], ["*"]]})
    stages = x.stages(digits)
    assert [s.name for s in stages] == [
        f"{task}/unfreeze{phase}/{regime}"
        for task, phase, regime in itertools.product(("low", "high"), (1, 2), ("clean", "pgd"))
    ]
    assert [s.steps for s in stages] == [6, 4] * 4
    model, lines = run(x, digits)
    begun = [line["stage"] for line in lines if line["kind"] == "stage" and line["event"] == "begin"]
    assert begun == [s.name for s in stages]
    last = next(
        line
        for line in lines
        if line["kind"] == "stage" and "task_accuracy" in line and len(line["task_accuracy"]) == 2
    )
    assert last["anchors"] == 2
    assert last["memory_rows"] == 30
    assert any("term/ewc" in line for line in lines)


def test_every_kind_of_action_is_reached_by_an_experiment(digits):
    (annotation,) = (m for m in get_args(AnyAction) if isinstance(m, one_of))
    stages = experiment(continual=CONTINUAL, train=BASE["train"] | {"average": {}}).stages(digits)
    actions = [action for stage in stages for action in (*stage.on_exit, *(action for _, action in stage.during))]
    assert {action.kind for action in actions} == set(annotation.members)


def test_frozen_parts_stay(digits):
    x = experiment(finetune={"unfreeze": [["head", "exits"]]})
    torch.manual_seed(0)
    model, _ = run(x, digits)
    fresh = __import__("dsray.runner.training", fromlist=["new_model"]).new_model(
        x, LocalWorker(digits, x.augment, seed=0)
    )
    moved = {n for (n, a), b in zip(model.named_parameters(), fresh.parameters(), strict=True) if not torch.equal(a, b)}
    assert moved == {n for n, _ in model.named_parameters() if n.startswith(("head", "exits"))}


def test_a_killed_run_ends_as_an_undisturbed_one(digits, tmp_path):
    x = experiment(adversarial=ADVERSARIAL, continual=CONTINUAL)
    whole, lines = run(x, digits, tmp_path / "whole")
    for die_at in (4, 13, 23, 36):
        with pytest.raises(Killed):
            run(x, digits, tmp_path / "killed", die_at=die_at)
    again, _ = run(x, digits, tmp_path / "killed")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))

    def figures(folder):
        read = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k not in ("time_s", "crc")} for line in read]

    assert figures(tmp_path / "killed") == figures(tmp_path / "whole")
    assert len(checkpoints(tmp_path / "whole" / "checkpoints")) == 2


def test_the_same_seed_gives_the_same_model(digits):
    x = experiment(adversarial=ADVERSARIAL)
    first, second = run(x, digits)[0], run(x, digits)[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = run(x.replace(seed=1), digits)[0]
    assert not torch.equal(first.head.linear.weight, other.head.linear.weight)


def test_the_undefended_twin_has_equal_steps_and_no_attack(digits):
    x = experiment(adversarial=ADVERSARIAL)
    defended, twin = x.stages(digits), x.undefended_stages(digits)
    assert [s.steps for s in defended] == [s.steps for s in twin]
    assert all(s.perturb is None for s in twin)
    _, lines = run(x, digits, undefended=True)
    assert not any("epsilon" in line for line in lines)


def test_epsilon_follows_its_schedule(digits):
    _, lines = run(experiment(adversarial=ADVERSARIAL), digits)
    radii = [line["epsilon"] for line in lines if "epsilon" in line]
    assert radii[0] == 0.0
    assert radii == sorted(radii)
    assert radii[-1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "loss", [{"kind": "trades", "beta": 2}, {"kind": "madry", "clean_share": 0.0}], ids=lambda c: c["kind"]
)
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_adversarial_losses_fall(digits, loss, share):
    stage = {**ADVERSARIAL["stages"][0], "steps": 60, "loss": loss, "share": share, "epsilon": 0.03}
    _, lines = run(experiment(adversarial={"stages": [stage]}), digits)
    losses = [line["loss"] for line in lines if line["kind"] == "step" and line["stage"] == "pgd"]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_global_batches_do_not_depend_on_the_number_of_workers(digits):
    draws = Draws(0, "clean", Shuffled(digits.splits["train"]), 32, np.arange(10), 8)
    for step in (0, 1, 117, 118, 400):
        rows, epochs = draws(step)
        assert len(rows) == 32
        halves = [draws.slice(step, step + 1, rank, 2) for rank in (0, 1)]
        assert sorted(np.concatenate([r for r, _ in halves]).tolist()) == sorted(rows.tolist())
        assert (rows[24:] < 10).all()
    assert np.array_equal(draws.slice(7, 9, 0, 1)[0], np.concatenate([draws(7)[0], draws(8)[0]]))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_an_epoch_shows_each_new_row_once_whatever_is_replayed(digits, share):
    stage = {"name": "pgd", "epochs": 2, "epsilon": 0.1}
    continual = CONTINUAL | {"memory": {"rows": 30, "replay": {"share": share}}}
    x = experiment(train={"epochs": 1, "batch": 32}, adversarial={"stages": [stage]}, continual=continual)
    for compiled in x.stages(digits)[2:]:
        rows = compiled.rows.select(digits, "train")
        draws = Draws(0, compiled.name, Shuffled(rows), 32, digits.splits["validation"][:3], round(32 * share))
        drawn = np.concatenate([draws(step)[0] for step in range(compiled.steps)])
        times = np.bincount(drawn, minlength=len(digits))[rows]
        epochs = 2 if compiled.perturb else 1
        assert times.min() == epochs  # the last batch is filled up from the next pass
        assert times.sum() - epochs * len(rows) < 32


def test_a_policy_ends_a_stage_early_and_the_record_says_so(digits, tmp_path):
    x = experiment(train={**BASE["train"], "policies": [{"kind": "reach", "value": 0.0}]})
    run(x, digits, tmp_path)
    about = json.loads((tmp_path / "model" / "training.json").read_text())
    assert about["executed"] == [{"stage": "clean", "steps": 2, "reason": "accuracy reached 0"}]
    assert about["steps"] == 2 and about["device"] == "cpu"


def test_a_pattern_that_matches_nothing_is_refused(digits):
    with pytest.raises(RequestError, match="pattern 'heads' matches no parameter"):
        run(experiment(finetune={"unfreeze": [["heads"]]}), digits)


def test_an_unfinished_checkpoint_is_never_read(digits, tmp_path):
    run(experiment(), digits, tmp_path)
    root = tmp_path / "checkpoints"
    (root / ".step-000099.1").mkdir()
    assert latest_checkpoint(root).name == "step-000012"


def test_bf16_learns_as_fp32_does_and_keeps_its_weights_whole(digits):
    """Mixed precision: products in bf16, weights and optimiser in fp32, adversarial stages included."""
    sections = {"adversarial": ADVERSARIAL}
    losses = {}
    for precision in ("fp32", "bf16"):
        x = experiment(**sections, train={**BASE["train"], "precision": precision})
        model, lines = run(x, digits)
        losses[precision] = [line["loss"] for line in lines if line["kind"] == "step"]
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses["bf16"] != losses["fp32"]  # it did something else
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


@pytest.mark.parametrize(("batch", "size", "share"), [(50, 2, 0.5), (6, 2, 0.5), (64, 4, 0.1), (64, 3, 0.01)])
def test_as_many_rows_are_perturbed_on_any_number_of_workers(digits, batch, size, share):
    stage = {**ADVERSARIAL["stages"][0], "share": share}
    x = experiment(adversarial={"stages": [stage]}, train={**BASE["train"], "batch": batch})
    state = TrainState(x.model.build(digits.schema))
    of_one = ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    of_many = [
        ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0, rank, size)
        for rank in range(size)
    ]
    attacked = of_one.attacked(state).tolist()
    assert attacked == list(range(round(batch * share)))
    positions = [np.arange(batch)[rank::size] for rank in range(size)]
    found = [mine[r.attacked(state).numpy()].tolist() for r, mine in zip(of_many, positions, strict=True)]
    assert sorted(itertools.chain(*found)) == attacked


@pytest.mark.parametrize(
    ("batch", "share", "replay", "new", "old"),
    [
        (64, 0.5, 0.5, 16, 16),
        (64, 0.25, 0.75, 4, 12),
        (10, 0.5, 0.3, 3, 2),
        (11, 1.0, 0.5, 5, 6),
        (10, 0.95, 0.5, 5, 5),
    ],
)
@pytest.mark.parametrize("size", [1, 3])
def test_replayed_rows_are_attacked_in_the_same_share_as_new_ones(digits, batch, share, replay, new, old, size):
    continual = CONTINUAL | {"memory": {"rows": 30, "replay": {"share": replay}}}
    stage = {**ADVERSARIAL["stages"][0], "share": share}
    x = experiment(adversarial={"stages": [stage]}, continual=continual, train={**BASE["train"], "batch": batch})
    state = TrainState(x.model.build(digits.schema))
    state.memory.size = 30
    state.memory.add_task(np.arange(100), np.arange(100) % 3, 0)
    second = x.stages(digits)[-1]
    sampler = Shuffled(second.rows.select(digits, "train"))
    draws = Draws(0, second.name, sampler, batch, state.memory.rows, round(batch * replay))
    replayed = np.isin(draws(0)[0], state.memory.rows)
    assert replayed.sum() == second.replay.rows(batch)
    found = []
    for rank in range(size):
        ready = ReadyStage(second, state, Facts.of(digits, digits.splits["train"], 8), 0, rank, size)
        found += replayed[rank::size][ready.attacked(state).numpy()].tolist()
    assert (len(found) - sum(found), sum(found)) == (new, old)


def test_trades_moves_each_attacked_row_away_from_its_own_clean_answer(digits, monkeypatch):
    """Attacked rows need not be the first ones of the batch."""
    stage = {**ADVERSARIAL["stages"][0], "share": 0.5, "epsilon": 0.1, "loss": "trades"}
    x = experiment(adversarial={"stages": [stage]}, continual=CONTINUAL)
    torch.manual_seed(0)
    state = TrainState(x.model.build(digits.schema))
    state.memory.size = 30
    state.memory.add_task(np.arange(100), np.arange(100) % 3, 0)
    ready = ReadyStage(x.stages(digits)[-1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    batch = to_batch(digits.take(digits.splits["train"][:32]), digits.schema)
    moved = ready.context(state, batch, state.model).adversarial_batch.inputs["image"]
    part = batch.select(ready.attacked(state))
    monkeypatch.setattr(ready, "attacked", lambda state: torch.arange(len(part)))
    of_part = ready.context(state, part, state.model)
    expected = of_part.adversarial_batch.inputs["image"]
    still = [i for i in range(32) if torch.equal(moved[i], batch.inputs["image"][i])]
    assert torch.allclose(moved[[i for i in range(32) if i not in still]], expected, atol=1e-6)
    assert len(still) == 16


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_training_attacks_climb_the_loss_at_the_logits_own_scale(digits, loss):
    """What training minimises; to judge, the same attack climbs logits of one scale."""
    attack = FgsmConfig(loss=loss)
    x = experiment(adversarial={"stages": [{**ADVERSARIAL["stages"][0], "epsilon": 0.1, "attack": attack}]})
    torch.manual_seed(0)
    state = TrainState(x.model.build(digits.schema))
    ready = ReadyStage(x.stages(digits)[-1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    batch = to_batch(digits.take(digits.splits["train"][:32]), digits.schema)
    trained = ready.context(state, batch, state.model).adversarial_batch.inputs["image"]
    climbed = {"cross_entropy": cross_entropy, "margin": margin}[loss]
    expected = perturb(attack.build(), state.model, batch, 0.1, loss=climbed).inputs["image"]
    assert torch.equal(trained, expected)
    judged = perturb(attack.build(), state.model, batch, 0.1).inputs["image"]
    assert torch.equal(judged, expected) == (loss == "margin")
