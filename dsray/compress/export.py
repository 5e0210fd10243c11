"""A model as an ONNX graph, with its routing inside."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor

from dsray.base.batch import Batch
from dsray.base.modes import evaluating
from dsray.base.routed import Routed

OPSET = 18


def export_onnx(model: Routed, example: Batch, path: Path) -> None:
    """Write the evaluation-mode model in fp32.

    Inputs: one per tensor and `present_INPUT` (batch,) bool; outputs: `logits` (batch, classes) and, of a model
    with routing, `blocks_run` (batch,) int64; the batch is dynamic. example: a few rows to trace with. The tracing
    exporter is used, since it takes 0.3 s where the newer one takes 8 s for the same graph.
    """
    graph = model.exportable()
    present = [_present(example, name) for name in graph.present]
    inputs = [*graph.tensors, *(f"present_{name}" for name in graph.present)]
    with evaluating(graph), silence(), torch.no_grad():
        torch.onnx.export(
            graph,
            (*(example.inputs[name] for name in graph.tensors), *present),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=list(graph.outputs),
            dynamic_axes={name: {0: "batch"} for name in [*inputs, *graph.outputs]},
        )
    onnx.save(slim(onnx.load(path)), path)


def _present(batch: Batch, name: str) -> Tensor:
    return batch.present.get(name, torch.ones(len(batch), dtype=torch.bool))


def slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what no runtime reads, and shorten the names of nodes and inner values, which outweigh a small model."""
    kept = {v.name for v in (*model.graph.input, *model.graph.output)}
    short: dict[str, str] = {"": ""}

    def rename(name: str) -> str:
        return name if name in kept else short.setdefault(name, f"v{len(short):x}")

    del model.graph.value_info[:]
    model.graph.doc_string = model.doc_string = ""
    for i, node in enumerate(model.graph.node):
        node.doc_string, node.name = "", f"n{i:x}"
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    for tensor in model.graph.initializer:
        tensor.name = rename(tensor.name)
    return model


@contextlib.contextmanager
def silence():  # type: ignore[no-untyped-def]
    """Keep the exporter's remarks (tracing a shape, its own deprecation) off the console."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
