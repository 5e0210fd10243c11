"""The promises of encoders."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from dsray.base import RequestError
from dsray.inputs import InputSpec, TensorSpec
from dsray.models import RoutedConfig, load_model, save_model
from dsray.models.encoders import EncoderConfig
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import same, schema_of


def check_encoder(config: EncoderConfig, spec: InputSpec) -> None:
    """Tokens of the promised shape, a row's own; built on the meta device too; the same, trained, when back from disk.

    Buffers that are not saved hold what `build` gives them, the same values each time: nothing else brings them back.
    spec: an input that it reads. Raises AssertionError that says which promise is broken.
    """
    check_round_trip(config)
    name = spec.kind
    schema = schema_of({name: spec})
    unsaved = _check_build(config, spec)
    model_config = RoutedConfig.model_validate({"encoders": {name: config}})
    model = model_config.build(schema)
    model_config.pretrained(model)
    encoder, values = model.eval().encoders[name], _values(spec, 6)
    assert same(unsaved, _unsaved(encoder)), "pretrained changed a buffer that is not saved, and is not called again"
    with torch.no_grad():
        tokens, mask = encoder(*values), encoder.mask(*values)  # type: ignore[operator]
        assert tokens.shape == (6, encoder.tokens, encoder.width), f"gave tokens of shape {tuple(tokens.shape)}"
        assert mask.shape == (6, encoder.tokens), f"gave a mask of shape {tuple(mask.shape)}"
        part = torch.tensor([4, 1])
        assert torch.allclose(encoder(*(v[part] for v in values)), tokens[part], atol=1e-5), (
            "a row's tokens depend on its company"
        )
    trained = encoder.train()(*values)
    if trained.requires_grad:  # one that is frozen as a whole has nothing to learn
        trained.square().mean().backward()
        torch.optim.SGD(encoder.parameters(), lr=1e-3).step()
    assert same(unsaved, _unsaved(encoder)), "training changed a buffer that is not saved: register it as one that is"
    with torch.no_grad():
        tokens = encoder.eval()(*values)
        with tempfile.TemporaryDirectory() as scratch:
            save_model(Path(scratch) / "model", model, model_config, schema)
            try:
                again = load_model(Path(scratch) / "model", expected=model_config, trust=True)[0].get_submodule(
                    f"encoders.{name}"
                )
            except RequestError as error:
                raise AssertionError(
                    f"the encoder does not come back from disk when it was trained ({error})"
                ) from None
        kept = torch.equal(again(*values), tokens)
        assert kept, "the encoder that comes back from disk gives other tokens"


def _check_build(config: EncoderConfig, spec: InputSpec) -> dict[str, Tensor]:
    """What `build` makes, on the meta device and elsewhere; gives the buffers that are not saved."""
    try:
        with torch.device("meta"):
            planned = config.build(spec)
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(f"build does not work on the meta device ({error}); weights come in pretrained") from error
    torch.manual_seed(1)
    one = config.build(spec)
    torch.manual_seed(0)
    other = config.build(spec)
    for what in ("tokens", "width"):
        promised = {getattr(module, what) for module in (planned, one, other)}
        assert len(promised) == 1, f"its {what} differ each time it is built: {sorted(promised)}"
    shapes = [{n: v.shape for n, v in module.state_dict().items()} for module in (planned, one)]
    assert shapes[0] == shapes[1], "it has other parameters when it is built on the meta device"
    assert same(_unsaved(one), _unsaved(other)), "build gives a buffer that is not saved other values each time"
    return _unsaved(one)


def _unsaved(module: nn.Module) -> dict[str, Tensor]:
    saved = module.state_dict()
    return {name: buffer.clone() for name, buffer in module.named_buffers() if name not in saved}


def _values(spec: InputSpec, rows: int) -> list[Tensor]:
    """Rows of an input, no two the same."""
    torch.manual_seed(1)
    return [_rows_of(tensor, rows) for tensor in spec.tensors.values()]


def _rows_of(tensor: TensorSpec, rows: int) -> Tensor:
    if tensor.range is None:
        return torch.randint(0, tensor.ids or 2, (rows, *tensor.shape)).to(getattr(torch, tensor.dtype))
    low, high = tensor.range
    return low + (high - low) * torch.rand(rows, *tensor.shape)
