"""A model with plug-ins of the user's own goes after one step where the trained one will go: to disk and back, to ONNX.

What would fail there after hours of training fails here within a second or two.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import SGD

from dsray.base import DsrayError, Plugin, RequestError
from dsray.base.batch import Batch
from dsray.base.kinds import own_plugins
from dsray.base.protocols import Output
from dsray.base.routed import Routed
from dsray.data import Prepared, to_batch
from dsray.experiment import Experiment
from dsray.models import load_model, save_model, skeleton

ROWS = 4


def rehearse(experiment: Experiment, data: Prepared) -> None:
    """A RequestError that says which road is closed; nothing is done for a model of dsray's own parts."""
    plugins = list(own_plugins(experiment.model))
    if not plugins:
        return
    names = ", ".join(dict.fromkeys(_name(plugin) for plugin in plugins))
    batch = to_batch(data.take(data.splits["train"][:ROWS]), data.schema)
    roads = {
        "cannot be built on the meta device; its build makes the module only, weights come in pretrained": _planned,
        "cannot be built and run": _run,
        "cannot be trained": _step,
        "does not come back from disk as it was": _kept,
    }
    if experiment.compress:
        roads[
            "cannot be exported; write it in operations that torch.onnx traces (values.shape[0], not len(values)), or leave compress out"
        ] = _exported
    for closed, road in roads.items():
        try:
            road(experiment, data, batch)
        except DsrayError as error:
            if road is _planned:  # a sentence of its own about settings that do not fit
                raise
            raise RequestError(f"model: with {names} it {closed} ({error})") from None
        except Exception as error:  # a plug-in may fail in any way
            reason = " ".join(str(error).split())
            raise RequestError(f"model: with {names} it {closed} ({type(error).__name__}: {reason})") from error


def _name(plugin: Plugin) -> str:
    return plugin.kind.rpartition(":")[2] if ":" in plugin.kind else type(plugin).__name__


def _planned(experiment: Experiment, data: Prepared, batch: Batch) -> None:
    skeleton(experiment.model, data.schema)


def _fresh(experiment: Experiment, data: Prepared) -> Routed:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = experiment.model.build(data.schema)
        experiment.model.pretrained(model)
    return model.eval()


@torch.no_grad()
def _answers(model: Routed, batch: Batch) -> Tensor:
    output: Output = model(batch.inputs, batch.present, full=True)
    return output.logits


def _run(experiment: Experiment, data: Prepared, batch: Batch) -> None:
    _answers(_fresh(experiment, data), batch)


def _step(experiment: Experiment, data: Prepared, batch: Batch) -> None:
    _trained(experiment, data, batch)


def _trained(experiment: Experiment, data: Prepared, batch: Batch) -> Routed:
    """The model after a step, so that what training alone changes is there too."""
    model = _fresh(experiment, data).train()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        exits = model.classify_at_exits(batch)
        torch.stack([model.likelihood.loss(logits, batch.target).mean() for logits in exits]).sum().backward()
        SGD(model.parameters(), lr=1e-3).step()
    return model.eval()


def _kept(experiment: Experiment, data: Prepared, batch: Batch) -> None:
    model = _trained(experiment, data, batch)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_model(folder, model, experiment.model, data.schema)
        again = load_model(folder, expected=experiment.model, trust=experiment.data.packages)[0]
    if not torch.equal(_answers(model, batch), _answers(again, batch)):
        raise RequestError(
            "it answers otherwise; what it needs is neither a parameter, nor a saved buffer, nor made by build"
        )


def _exported(experiment: Experiment, data: Prepared, batch: Batch) -> None:
    from dsray.compress.compress import columns
    from dsray.compress.export import export_onnx  # the exporter takes a second to import
    from dsray.compress.onnx_model import OnnxModel, Outputs
    from dsray.compress.parity import parity

    model = _fresh(experiment, data)
    traced, other = batch.select(torch.arange(0, len(batch), 2)), batch.select(torch.arange(len(batch)).flip(0))
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        export_onnx(model, traced, Path(scratch) / "model.onnx")
        found = OnnxModel(Path(scratch) / "model.onnx").run(columns(other))
        output: Output = model(other.inputs, other.present)
    ran = None if output.blocks_run is None else output.blocks_run.numpy()
    parity(Outputs(output.logits.numpy(), ran), found)
