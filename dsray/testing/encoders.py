"""The promises of encoders."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from dsray.base import RequestError
from dsray.data.schema import ImageSpec, Schema, TextSpec
from dsray.models import ModelConfig, load_model, save_model
from dsray.models.encoders import EncoderConfig
from dsray.testing.settings import check_round_trip


def check_encoder(config: EncoderConfig, spec: ImageSpec | TextSpec) -> None:
    """Tokens of the promised shape, a row's own; built on the meta device too; the same, trained, when back from disk.

    spec: an input that it reads. Raises AssertionError that says which promise is broken.
    """
    check_round_trip(config)
    name, image = ("image", spec) if isinstance(spec, ImageSpec) else ("text", None)
    schema = Schema(image=image, text=spec if isinstance(spec, TextSpec) else None, label="y", classes=("a", "b"))
    try:
        with torch.device("meta"):
            config.build(spec)  # type: ignore[attr-defined]
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(f"build does not work on the meta device ({error}); weights come in pretrained") from error
    torch.manual_seed(0)
    model_config = ModelConfig.model_validate({"encoders": {name: config}})
    model = model_config.build(schema)
    model_config.pretrained(model)
    encoder, values = model.eval().encoders[name], _values(spec, 6)
    with torch.no_grad():
        tokens, mask = encoder(values), encoder.mask(values)  # type: ignore[operator]
        assert tokens.shape == (6, encoder.tokens, encoder.width), f"gave tokens of shape {tuple(tokens.shape)}"
        assert mask.shape == (6, encoder.tokens), f"gave a mask of shape {tuple(mask.shape)}"
        part = torch.tensor([4, 1])
        assert torch.allclose(encoder(values[part]), tokens[part], atol=1e-5), "a row's tokens depend on its company"
    trained = encoder.train()(values)
    if trained.requires_grad:  # one that is frozen as a whole has nothing to learn
        trained.square().mean().backward()
        torch.optim.SGD(encoder.parameters(), lr=1e-3).step()
    with torch.no_grad():
        tokens = encoder.eval()(values)
        with tempfile.TemporaryDirectory() as scratch:
            save_model(Path(scratch) / "model", model, model_config, schema)
            try:
                again = load_model(Path(scratch) / "model", expected=model_config)[0]
            except RequestError as error:
                raise AssertionError(
                    f"the encoder does not come back from disk when it was trained ({error})"
                ) from None
        same = torch.equal(again.encoders[name](values), tokens)
        assert same, "the encoder that comes back from disk gives other tokens"


def _values(spec: ImageSpec | TextSpec, rows: int) -> Tensor:
    """Rows of an input, no two the same."""
    torch.manual_seed(1)
    if isinstance(spec, ImageSpec):
        return torch.rand(rows, spec.channels, spec.height, spec.width)
    return torch.randint(0, spec.vocabulary, (rows, spec.length))
