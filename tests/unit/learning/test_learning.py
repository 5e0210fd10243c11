"""EWC, Fisher information, memory, and what they are worth on a two-task split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dsray.base.batch import Batch
from dsray.data import Facts, to_batch
from dsray.engine.context import Context
from dsray.engine.terms.ewc import EwcConfig
from dsray.learning import Anchor, ReplayMemory, ewc_penalty, forgetting, retention, unfreezing_phases
from dsray.models import RoutedConfig
from dsray.optim import Rates, diagonal_fisher


def test_fisher_of_a_softmax_model_is_the_closed_form():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    rows = torch.arange(2000)
    x = torch.rand(1, 1, 2, 2).expand(2000, 1, 2, 2)
    found = diagonal_fisher(model, [Batch({"image": x}, rows % 3, rows, rows * 0)], kind="true")["1.weight"]
    p = model(x[:1]).softmax(-1)[0].detach()
    exact = (p * (1 - p))[:, None] * x[0].flatten()[None] ** 2
    assert float(((found - exact).abs() / exact).max()) < 0.15
    label = torch.tensor([1])
    empirical = diagonal_fisher(model, [Batch({"image": x[:1]}, label, rows[:1], rows[:1])], kind="empirical")[
        "1.weight"
    ]
    gradient = (p - nn.functional.one_hot(label, 3)[0])[:, None] * x[0].flatten()[None]
    assert torch.allclose(empirical, gradient**2, atol=1e-6)
    pairs = [(x[:1], label), (x[1:3], torch.tensor([1, 1]))]  # as anyone's data loader gives them
    assert torch.allclose(diagonal_fisher(model, pairs, kind="empirical")["1.weight"], gradient**2, atol=1e-6)


def test_fisher_reaches_behind_the_exit_that_the_rows_take(digits):
    """Every row would leave at the first exit; the mean over the exits is that of the closed form of each."""
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema)
    model.depth = replace(model.depth, threshold=0.0)
    batch = to_batch(digits.take(digits.splits["train"][:8]), digits.schema)
    fisher = diagonal_fisher(model, [batch], kind="empirical")
    assert all(fisher[f"{head}.linear.bias"].abs().sum() > 0 for head in ("exits.1", "exits.2", "head"))
    assert all(values.abs().sum() > 0 for name, values in fisher.items() if name.startswith("trunk.blocks.2.attention"))
    model.eval()
    with torch.no_grad():
        p = model(batch.inputs, batch.present, full=True).exits[-1].softmax(-1)
    gradient = p - nn.functional.one_hot(batch.target, p.shape[1])
    assert torch.allclose(fisher["head.linear.bias"], (gradient**2).mean(0) / 3, atol=1e-6)


@pytest.mark.parametrize("learning", ["head", "exits.2", "trunk.blocks.1"])
def test_fisher_counts_an_exit_that_nothing_measured_leads_to_as_zero(digits, learning):
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema)
    batch = to_batch(digits.take(digits.splits["train"][:4]), digits.schema)
    whole = diagonal_fisher(model, [batch])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(learning))
    part = diagonal_fisher(model, [batch])
    assert part.keys() == {name for name in whole if name.startswith(learning)}
    assert all(torch.allclose(part[name], whole[name], atol=1e-7) for name in part)


def test_the_penalty_is_half_f_times_the_square_of_the_way():
    model = nn.Linear(2, 1, bias=False)
    anchor = Anchor.of(model, {"weight": torch.tensor([[2.0, 0.5]])})
    with torch.no_grad():
        model.weight += torch.tensor([[1.0, 2.0]])
    assert float(ewc_penalty(dict(model.named_parameters()), [anchor, anchor]).detach()) == pytest.approx(
        2 * (1.0 + 1.0)
    )


def test_the_term_is_the_penalty_for_each_row_and_asks_for_no_pass(digits):
    model = nn.Linear(2, 1, bias=False)
    anchor = Anchor.of(model, {"weight": torch.tensor([[2.0, 0.5]])})
    with torch.no_grad():
        model.weight += torch.tensor([[1.0, 2.0]])
    batch = to_batch(digits.take(digits.splits["train"][:3]), digits.schema)
    term = EwcConfig(strength=10).build(Facts.of(digits, digits.splits["train"], 1))
    context = Context(model, batch, 0, anchors=[anchor])
    assert term(context).tolist() == pytest.approx([20.0] * 3)
    assert "clean" not in vars(context)
    assert term(Context(model, batch, 0)).tolist() == [0.0] * 3


def test_the_memory_shares_its_room():
    memory = ReplayMemory(40)
    for task in range(3):
        rows = np.arange(100) + 100 * task
        memory.add_task(rows, rows % 4, seed=0)
    assert [len(t) for t in memory.tasks] == [13, 13, 13]
    assert all(np.ptp(np.bincount(t % 4, minlength=4)) <= 1 for t in memory.tasks)


def test_figures_of_the_accuracy_matrix():
    matrix = [[0.9], [0.6, 0.8]]
    assert retention(matrix) == pytest.approx(0.7 / 0.85)
    assert forgetting(matrix) == pytest.approx(0.3)
    assert retention([[0.5], [0.0, 0.0]]) == 0.0
    assert retention([[0.5], [0.5, 0.5]]) == 1.0
    assert retention([[0.0], [0.0, 0.0]]) == 0.0  # nothing was learnt


def test_unfreezing_adds_groups():
    assert unfreezing_phases([["head"], ["trunk"], ["*"]]) == [("head",), ("head", "trunk"), ("head", "trunk", "*")]


def test_rates_by_pattern_and_depth():
    names = [
        "encoders.image.embed.weight",
        "trunk.blocks.0.up.weight",
        "trunk.blocks.1.up.weight",
        "head.linear.weight",
    ]
    rates = Rates.model_validate({"layers": [{"pattern": "head", "scale": 2}], "depth_decay": 0.5})
    assert list(rates.scales(names).values()) == [0.125, 0.25, 0.5, 2.0]
