"""The promises of models."""

from __future__ import annotations

import torch

from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.routed import Routed
from dsray.models import ModelConfig
from dsray.testing.exported import check_exported, check_kept
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import NAME, batch_of, prepared, same, trace

ROWS = 24


def check_model(config: ModelConfig) -> None:
    """Finite logits of a row's own at every exit, no trace of a forward pass; built on the meta device too.

    Gradients reach the model and the values that an attack may move. It tells blocks and experts where it has routing, and
    nothing of them elsewhere; trained, it comes back the same from disk and from ONNX.
    """
    check_round_trip(config)
    data = prepared()
    batch = batch_of(data, ROWS)
    try:
        with torch.device("meta"):
            planned = config.build(data.schema)
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(f"build does not work on the meta device ({error}); weights come in pretrained") from error
    torch.manual_seed(0)
    model = config.build(data.schema)
    assert isinstance(getattr(model, "likelihood", None), Likelihood), (
        "it does not say what its logits mean: likelihood"
    )
    config.pretrained(model)
    shapes = [{name: value.shape for name, value in made.state_dict().items()} for made in (model, planned)]
    assert shapes[0] == shapes[1], "it has other parameters when it is built on the meta device"
    with torch.no_grad():
        _check_answers(model.eval(), data.schema.target.outputs)
    exits = model.train()(batch.inputs, batch.present).exits
    loss = torch.stack([model.likelihood.loss(logits, batch.target).mean() for logits in exits]).sum()
    assert loss.requires_grad, "no gradient reaches the model"
    loss.backward()
    _check_climbed(model.eval(), batch)
    torch.optim.SGD(model.parameters(), lr=1e-2).step()
    check_kept(model, config, data.schema, batch, "the model")
    check_exported(model, batch, "the model")


def _check_climbed(model: Routed, batch: Batch) -> None:
    values = batch.inputs[NAME].clone().requires_grad_()
    climbed = model.likelihood.ascent(model.classify(batch.with_input(NAME, values)), batch.target).sum()
    gradient = torch.autograd.grad(climbed, values, allow_unused=True)[0]
    assert gradient is not None and gradient.any(), "no gradient reaches the values that an attack moves"


def _check_answers(model: Routed, classes: int) -> None:
    batch, part, before = batch_of(prepared(), ROWS), torch.tensor([5, 2, 17]), trace(model)
    output = model(batch.inputs, batch.present)
    assert output.logits.shape == (ROWS, classes), f"gave logits of shape {tuple(output.logits.shape)}"
    assert torch.isfinite(output.logits).all(), "gave logits that are not finite"
    assert torch.equal(model.classify(batch), output.logits), "the logits differ when asked for again"
    alone = model.classify(batch.select(part))
    assert torch.allclose(alone, output.logits[part], atol=1e-5), "a row's answer depends on its company"
    assert all(logits.shape == (ROWS, classes) for logits in model.classify_at_exits(batch)), "an exit gives no logits"
    assert same(before, trace(model)), "a forward pass changed the model"
    hidden = batch.without(NAME)
    other = hidden.with_input(NAME, torch.rand_like(batch.inputs[NAME]))
    assert torch.equal(model.classify(hidden), model.classify(other)), "what a hidden input holds changes the answer"
    routing, told = model.routing, (output.blocks_run, output.expert_load)
    if routing is None:
        assert told == (None, None), "it tells of blocks and experts, and has no routing"
        return
    assert None not in told, "it has routing, and tells of no blocks and experts"
    assert 1 <= int(output.blocks_run.min()) <= int(output.blocks_run.max()) <= routing.budget <= routing.blocks
    assert output.expert_load.shape == (routing.blocks, routing.experts), "its load is not (blocks, experts)"
