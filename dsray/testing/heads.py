"""The promises of heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsray.models.heads import HeadConfig
from dsray.testing.exported import check_exported, check_kept
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import batch_of, model_config, prepared, routed

WIDTH, TOKENS, ROWS = 16, 5, 6


def check_head(config: HeadConfig) -> None:
    """Finite logits (batch, outputs) from the answer token alone, a row's own, through which gradients reach it.

    Every exit gets a module of its own, which is built on the meta device too; trained, it comes back the same from
    disk and from ONNX.
    """
    check_round_trip(config)
    try:
        with torch.device("meta"):
            planned = config.build(WIDTH, 3)
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(f"build does not work on the meta device ({error})") from error
    torch.manual_seed(0)
    head, other = config.build(WIDTH, 3), config.build(WIDTH, 3)
    shapes = [{name: value.shape for name, value in module.state_dict().items()} for module in (head, planned)]
    assert shapes[0] == shapes[1], "it has other parameters when it is built on the meta device"
    own = {id(parameter) for parameter in head.parameters()}
    assert head is not other and own.isdisjoint(map(id, other.parameters())), "two exits share parameters"
    for outputs in (2, 3, 10):
        _check_logits(config.build(WIDTH, outputs).eval(), outputs)
    _check_in_a_model(config)


def _check_logits(head: nn.Module, outputs: int) -> None:
    tokens = torch.randn(ROWS, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1)).requires_grad_()
    logits: Tensor = head(tokens)
    assert logits.shape == (ROWS, outputs), f"gave logits of shape {tuple(logits.shape)}, needs {(ROWS, outputs)}"
    assert torch.isfinite(logits).all(), "gave logits that are not finite"
    assert logits.requires_grad, "no gradient passes the head: nothing behind it can learn or be attacked"
    gradient = torch.autograd.grad(logits.square().sum(), tokens, allow_unused=True)[0]
    assert gradient is not None and gradient[:, 0].abs().amax(-1).gt(0).all(), "no gradient reaches the answer token"
    with torch.no_grad():
        assert torch.equal(head(tokens), logits), "the logits differ when asked for again"
        part = torch.tensor([4, 1])
        assert torch.allclose(head(tokens[part]), logits[part], atol=1e-5), "a row's logits depend on its company"
        others = torch.cat([tokens[:, :1], tokens[:, 1:] + 1], 1)
        said = "the logits depend on other tokens than the first, which may be padding or missing"
        assert torch.allclose(head(others), logits, atol=1e-5), said
        assert torch.allclose(head(tokens[:, :1]), logits, atol=1e-5), said


def _check_in_a_model(config: HeadConfig) -> None:
    data = prepared()
    whole, batch = model_config(head=config, depth={"kind": "early_exit", "exits": [1]}), batch_of(data, 12)
    model = routed(whole).train()
    exits = model(batch.inputs, batch.present).exits
    torch.stack([model.likelihood.loss(logits, batch.target).mean() for logits in exits]).sum().backward()
    torch.optim.SGD(model.parameters(), lr=1e-2).step()
    check_kept(model, whole, data.schema, batch, "the head")
    check_exported(model, batch, "the head")
