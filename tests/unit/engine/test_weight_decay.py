"""Which parameters of a model decay: weight matrices, and nothing that shifts or files."""

from __future__ import annotations

import torch

from dsray.experiment import Experiment
from dsray.models import skeleton
from dsray.optim import AdamWConfig, SgdConfig

MODEL = {"trunk": {"blocks": 2, "experts": {"count": 4}}, "depth": {"kind": "early_exit", "exits": [1]}}


def test_biases_norms_embeddings_and_positions_do_not_decay(digits):
    model = skeleton(Experiment.parse({"data": {"source": "digits"}, "model": MODEL}).model, digits.schema)
    parameters = dict(model.named_parameters())
    for config in (AdamWConfig(weight_decay=0.1), SgdConfig(weight_decay=0.1)):
        groups = config.build(parameters, dict.fromkeys(parameters, 1.0)).param_groups
        decayed = {name for group in groups if group["weight_decay"] == 0.1 for name in group["names"]}
        spared = {name for group in groups if group["weight_decay"] == 0 for name in group["names"]}
        block = {f"{x}.weight" for x in ("attention.qkv", "attention.out", "up", "down", "experts.router")}
        block |= {"experts.up", "experts.down"}
        assert decayed == {f"trunk.blocks.{i}.{name}" for i in (0, 1) for name in block} | {
            "project.weight",
            "exits.1.linear.weight",
            "head.linear.weight",
        }
        assert decayed | spared == set(parameters)
        assert {"encoders.image.position", "encoders.text.position", "trunk.blocks.0.experts.up_bias"} <= spared


def test_a_decayed_step_leaves_stacked_biases_alone():
    weight, bias = (torch.nn.Parameter(torch.ones(4, 8)) for _ in range(2))
    optimizer = SgdConfig(weight_decay=0.5, momentum=0).build(
        {"experts.up": weight, "experts.up_bias": bias}, {"experts.up": 1.0, "experts.up_bias": 1.0}
    )
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    weight.grad, bias.grad = torch.zeros(4, 8), torch.zeros(4, 8)
    optimizer.step()
    assert torch.allclose(weight, torch.full((4, 8), 0.95))
    assert torch.equal(bias, torch.ones(4, 8))
