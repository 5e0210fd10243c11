"""Whether a model with a plug-in goes to disk and to ONNX and comes back giving the same answers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from dsray.base import DsrayError
from dsray.base.batch import Batch
from dsray.base.protocols import Output
from dsray.base.routed import Routed
from dsray.compress.compress import columns
from dsray.compress.export import export_onnx
from dsray.compress.onnx_model import OnnxModel, Outputs
from dsray.compress.parity import parity
from dsray.data.schema import Schema
from dsray.models import ModelConfig, load_model, save_model


@torch.no_grad()
def check_kept(model: Routed, config: ModelConfig, schema: Schema, batch: Batch, what: str) -> None:
    """The model that is read back from disk gives the same answers to the bit."""
    before = model.eval()(batch.inputs, batch.present, full=True).exits
    with tempfile.TemporaryDirectory() as scratch:
        try:
            save_model(Path(scratch) / "model", model, config, schema)
            again = load_model(Path(scratch) / "model", expected=config, trust=True)[0]
        except DsrayError as error:
            raise AssertionError(f"{what} does not come back from disk when it was trained ({error})") from None
    after = again(batch.inputs, batch.present, full=True).exits
    assert all(map(torch.equal, before, after)), f"{what} that comes back from disk gives other logits"


@torch.no_grad()
def check_exported(model: Routed, batch: Batch, what: str) -> None:
    """The exported graph gives the same answers after the same blocks, for other rows than it was traced with."""
    traced, other = batch.select(torch.arange(0, len(batch), 2)), batch.select(torch.arange(len(batch)).flip(0))
    output: Output = model.eval()(other.inputs, other.present)
    ran = None if output.blocks_run is None else output.blocks_run.numpy()
    mine = Outputs(output.logits.numpy(), ran)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            export_onnx(model, traced, Path(scratch) / "model.onnx")
            parity(mine, OnnxModel(Path(scratch) / "model.onnx").run(columns(other)))
        except Exception as error:  # a plug-in may fail in any way
            reason = " ".join(str(error).split())
            raise AssertionError(f"{what} does not come back from ONNX as it was ({reason})") from error
