"""A pipeline of gloo processes gives the gradients, the figures and the checkpoints of one process."""

from __future__ import annotations

import json

import pytest
import torch
from processes import on_processes
from torch import nn

from dsray.engine.checkpoint import latest_checkpoint, load_checkpoint
from dsray.data import prepare, to_batch
from dsray.engine import LocalWorker
from dsray.engine.context import Context
from dsray.engine.executions import Pipeline, SingleProcess
from dsray.engine.terms import TaskConfig
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.runner.files import TrainingFiles
from dsray.runner.training import new_model, train
from dsray.testing.subjects import facts

pytestmark = pytest.mark.dist
ROWS = 32
TERMS = [("task", lambda s: 1.0, TaskConfig(label_smoothing=0.1).build(facts()))]
TREE = {
    "data": {"source": "digits"},
    "model": {"width": 32, "trunk": {"blocks": 3, "hidden": 32, "experts": {"hidden": 32}}},
    "train": {
        "steps": 6,
        "batch": ROWS,
        "optimizer": {"kind": "sgd"},  # Adam turns the rounding of a gradient that should be 0 into a whole step
        "rates": {"schedule": {"kind": "constant", "value": 0.1}},
        "log_every": 1,
        "validate_every": 4,
        "checkpoint_every": 4,
    },
}

IN_PARTS = TREE | {"train": TREE["train"] | {"accumulate": 2}}


def experiment(**sections):
    return Experiment.parse(TREE | sections)


def made(tree):
    config = Experiment.parse(tree)
    data = prepare(config.data)
    worker = LocalWorker(data, config.augment, seed=0)
    model = new_model(config, worker).train()
    batch = to_batch(data.take(data.splits["train"][:ROWS]), data.schema)
    return model, batch.without("image") if tree.get("name") == "blind" else batch


def one_step(execution, batch):
    context = Context(execution.model, batch, 0)
    parts = execution.forward_backward(context, TERMS, ROWS)
    norm = execution.clip(0.5)
    return float(parts["task"]), execution.expert_load(context), norm


def piece_of_step(rank, tree, workers, out):
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    pieces = dist.get_world_size() // workers
    mesh = init_device_mesh("cpu", (workers, pieces), mesh_dim_names=("data", "pipe"))
    model, batch = made(tree)
    if rank:
        with torch.no_grad():
            model.head.linear.weight.add_(1.0)  # the first process's weights are the ones that count
    across = mesh.get_group("data") if workers > 1 else None
    accumulate = tree["train"].get("accumulate", 1)
    execution = Pipeline(model, 4, along=mesh.get_group("pipe"), across=across, accumulate=accumulate)
    mine = batch.select(torch.arange(ROWS)[rank // pieces :: workers])
    loss, load, norm = one_step(execution, mine)
    loss = float(execution.reduce(torch.tensor(loss)))
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    torch.save({"loss": loss, "load": load, "norm": norm, "grads": grads}, f"{out}/{rank}.pt")


@pytest.mark.parametrize(
    ("workers", "pieces", "tree"),
    [(1, 2, TREE), (1, 3, TREE), (2, 2, TREE), (1, 2, TREE | {"name": "blind"}), (2, 2, IN_PARTS)],
    ids=["two pieces", "three pieces", "two by two", "an input missing", "two by two, in parts"],
)
def test_pieces_give_the_gradients_of_one_process(tmp_path, workers, pieces, tree):
    on_processes(workers * pieces, piece_of_step, tree, workers, str(tmp_path))
    torch.set_num_threads(1)
    model, batch = made(tree)
    loss, load, norm = one_step(SingleProcess(model), batch)
    expected = {n: p.grad for n, p in model.named_parameters()}
    seen = set()
    for rank in range(workers * pieces):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found["loss"] == pytest.approx(loss, abs=1e-6)
        assert found["norm"] == pytest.approx(norm, abs=1e-6)
        assert torch.equal(found["load"], load)
        for name, grad in found["grads"].items():
            other = torch.zeros_like(grad) if expected[name] is None else expected[name]
            assert torch.allclose(grad, other, atol=1e-6), name
            assert model.piece_of(name, pieces) == rank % pieces
        seen |= set(found["grads"])
    assert seen >= {name for name, grad in expected.items() if grad is not None}


def trained_piece(rank, tree, out):
    import torch.distributed as dist

    config = Experiment.parse(tree)
    data = prepare(config.data)
    workers = dist.get_world_size() // config.parallel.pipeline
    worker = LocalWorker(
        data,
        config.augment,
        seed=config.seed,
        rank=rank // config.parallel.pipeline,
        size=workers,
        leads=rank == 0,
        folder=TrainingFiles(out).folder,
    )
    train(config, worker, files=TrainingFiles(out))


def lines(files, kind):
    return [line for line in map(json.loads, files.history.read_text().splitlines()) if line["kind"] == kind]


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"finetune": {"unfreeze": [["trunk.blocks.2", "head", "exits"], ["*"]]}},
        {
            "continual": {
                "tasks": [{"name": "a", "classes": ["0", "1"]}, {"name": "b", "classes": ["2", "3"]}],
                "memory": {"rows": 40},
                "ewc": None,
            }
        },
        {
            "train": TREE["train"]
            | {"steps": 20, "validate_every": 2, "policies": ["plateau"], "rates": {"schedule": {"kind": "constant", "value": 2.0}}}
        },
        {"train": IN_PARTS["train"] | {"average": {"decay": 0.5, "every": 2}}},
        {
            "train": TREE["train"]
            | {
                "validate_every": 1,
                "sampler": "balanced",
                "task": {"weights": {"1": 3.0}, "focal": 2},
                "policies": [{"kind": "reduce_rate", "patience": 1, "tolerance": 1, "least": 0.2}],
            }
        },
    ],
    ids=["clean", "unfreezing", "tasks with replay", "best weights kept", "in parts, averaged", "uneven classes"],
)
def test_the_same_loop_trains_in_pieces(tmp_path, sections):
    """`fit` knows nothing of pieces: stages, borders, validations and checkpoints come out as in one process."""
    torch.set_num_threads(1)
    one, two = TrainingFiles(tmp_path / "one"), TrainingFiles(tmp_path / "two")
    config = experiment(**sections)
    data = prepare(config.data)
    train(config, LocalWorker(data, config.augment, seed=0, folder=one.folder), files=one)
    on_processes(2, trained_piece, TREE | sections | {"parallel": {"pipeline": 2}}, two.folder)
    for kind in ("stage", "step", "validation", "checkpoint"):
        ours, theirs = lines(two, kind), lines(one, kind)
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
        for a, b in zip(ours, theirs, strict=True):
            for name in ("loss", "accuracy", "grad_norm", "skip_rate", "rate", "control/rate"):
                assert a.get(name) == pytest.approx(b.get(name), abs=1e-4)
            assert a.get("expert_load") == b.get("expert_load")
            assert a.get("best", {}).get("step") == b.get("best", {}).get("step")
    ours, theirs = (load_checkpoint(latest_checkpoint(files.checkpoints))[0] for files in (two, one))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name].double(), tensor.double(), atol=1e-4), name
    whole, reference = load_model(two.model)[0], load_model(one.model)[0]
    for name, tensor in reference.state_dict().items():
        assert torch.allclose(whole.state_dict()[name].double(), tensor.double(), atol=1e-4), name


def test_a_killed_pipeline_goes_on_in_one_process(tmp_path):
    """A checkpoint of pieces is whole: another number of processes resumes it."""
    torch.set_num_threads(1)
    files = TrainingFiles(tmp_path / "two")
    tree = TREE | {"parallel": {"pipeline": 2}}
    on_processes(2, trained_piece, tree, files.folder)
    for last in sorted(files.checkpoints.glob("step-*"))[1:]:
        for path in last.iterdir():
            path.unlink()
        last.rmdir()
    config = experiment()
    data = prepare(config.data)
    resumed = train(config, LocalWorker(data, config.augment, seed=0, folder=files.folder), files=files)
    straight = train(config, LocalWorker(data, config.augment, seed=0))
    for ours, theirs in zip(resumed.parameters(), straight.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_every_part_of_a_model_is_in_one_piece():
    model, _ = made(TREE)
    for pieces in (2, 3):
        blocks = [list(model.piece(i, pieces).blocks) for i in range(pieces)]
        assert sum(blocks, []) == [0, 1, 2]
        for name in model.state_dict():
            words = name.split(".")
            owner = model.piece_of(name, pieces)
            if words[0] == "trunk":
                assert int(words[2]) in blocks[owner]
            elif words[0] == "exits":
                assert int(words[1]) - 1 in blocks[owner]
            else:
                assert owner == (pieces - 1 if words[0] == "head" else 0)
    assert isinstance(model.piece(0, 2), nn.Module)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"parallel": {"pipeline": 4}}, "parallel.pipeline: 4 pieces of 3 blocks; use at most 3"),
        ({"parallel": {"pipeline": 2, "microbatches": 1}}, "microbatches: 1 are fewer than the 2 pieces"),
        ({"parallel": {"pipeline": 2, "microbatches": 5}}, "1 x 5 parts do not divide train.batch (32)"),
        (
            {"parallel": {"pipeline": 2}, "adversarial": {"stages": [{"epsilon": 0.1}]}},
            "parallel.pipeline: adversarial stages need the whole model",
        ),
        (
            {
                "parallel": {"pipeline": 2},
                "continual": {"tasks": [{"name": "a", "classes": ["0"]}, {"name": "b", "classes": ["1"]}], "ewc": {}},
            },
            "parallel.pipeline: continual.ewc needs the whole model",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(sections, sentence):
    from dsray.base import RequestError

    with pytest.raises(RequestError) as error:
        experiment(**sections)
    assert sentence in str(error.value)
