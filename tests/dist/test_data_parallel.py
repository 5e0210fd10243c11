"""Two gloo processes give the gradients of one."""

from __future__ import annotations

import pytest
import torch
from processes import on_processes

from dsray.data import DataConfig, prepare, to_batch
from dsray.engine.context import Context
from dsray.engine.executions import DataParallel, SingleProcess
from dsray.engine.terms import MadryConfig, TaskConfig
from dsray.models import RoutedConfig
from dsray.testing.subjects import facts

pytestmark = pytest.mark.dist
ROWS = 33  # two workers hold unequal shares


def model_of(schema):
    torch.manual_seed(0)
    return RoutedConfig().build(schema).train()


def step(execution, batch, term, rows=ROWS):
    def nudged(context):
        batch = context.batch
        return batch.with_input("image", (batch.inputs["image"] + 0.05).clamp(0, 1))

    context = Context(execution.model, batch, 0, perturbation=nudged)
    parts = execution.forward_backward(context, [(term.kind, lambda s: 1.0, term.build(facts()))], rows)
    return parts[term.kind], context.expert_load()


def worker(rank, term, rows, accumulate, out):
    data = prepare(DataConfig.model_validate({"source": "digits"}))
    model = model_of(data.schema)
    if rank == 1:
        with torch.no_grad():
            model.head.linear.weight.add_(1.0)  # the first worker's weights are the ones that count
    execution = DataParallel(model, accumulate=accumulate)
    batch = to_batch(data.take(data.splits["train"][:rows][rank::2]), data.schema)
    loss, load = step(execution, batch, term, rows)
    found = execution.reduce(torch.tensor([float(loss)])), execution.reduce(load.clone())
    if rank == 0:
        torch.save({"loss": found[0], "load": found[1], "grads": [p.grad for p in model.parameters()]}, out)


@pytest.mark.parametrize(
    ("term", "rows", "accumulate"),
    [(TaskConfig(), ROWS, 1), (MadryConfig(), ROWS, 1), (MadryConfig(), 32, 4)],
    ids=["task", "madry", "madry in parts"],
)
def test_two_workers_equal_one_process(tmp_path, term, rows, accumulate):
    torch.set_num_threads(1)
    on_processes(2, worker, term, rows, accumulate, str(tmp_path / "out.pt"))
    two = torch.load(tmp_path / "out.pt")
    data = prepare(DataConfig.model_validate({"source": "digits"}))
    model = model_of(data.schema)
    batch = to_batch(data.take(data.splits["train"][:rows]), data.schema)
    loss, load = step(SingleProcess(model), batch, term, rows)
    assert float(two["loss"]) == pytest.approx(float(loss), abs=1e-6)
    assert torch.equal(two["load"], load)
    for ours, theirs in zip(two["grads"], (p.grad for p in model.parameters()), strict=True):
        expected = torch.zeros_like(ours) if theirs is None else theirs
        assert torch.allclose(ours, expected, atol=1e-6)
