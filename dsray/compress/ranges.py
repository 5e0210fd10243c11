"""The ranges of a graph's activations over the calibration rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from dsray.compress.onnx_model import onnx_session

Ranges = dict[str, tuple[float, float]]
"""Tensor -> lowest and highest value. A tensor that no row reached (of an expert that none chose) is not in it."""

BATCH = 64


def activation_ranges(graph: Path, tensors: Iterable[str], rows: Mapping[str, np.ndarray], *, averaged: bool) -> Ranges:
    """The ranges of `tensors` when `rows` run through `graph` in batches of 64.

    rows: graph input -> values. averaged: the mean of the batches' extremes in place of the extremes of all rows, which
    leaves outliers out; a batch that reaches a tensor with no row does not count there.
    """
    # The graph computes the extremes itself: two numbers of each tensor leave the session, not the tensor. Rows go in
    # batches because experts see shares of a batch: an extreme over no row is infinite, which tells an expert that nobody
    # chose from one whose activations are zero.
    model, names = onnx.load(graph), list(dict.fromkeys(tensors))
    for name in names:
        for operation in ("ReduceMin", "ReduceMax"):
            output = f"{name}/{operation}"
            model.graph.node.append(helper.make_node(operation, [name], [output], keepdims=1))
            model.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    session = onnx_session(model.SerializeToString())
    outputs = [f"{name}/{operation}" for name in names for operation in ("ReduceMin", "ReduceMax")]
    count = len(next(iter(rows.values())))
    found = [
        [float(value.item()) for value in session.run(outputs, {k: v[i : i + BATCH] for k, v in rows.items()})]
        for i in range(0, count, BATCH)
    ]
    table = np.array(found).reshape(len(found), len(names), 2)
    return {name: _merged(table[:, i], averaged) for i, name in enumerate(names) if np.isfinite(table[:, i]).any()}


def _merged(extremes: np.ndarray, averaged: bool) -> tuple[float, float]:
    """(batches, 2) -> the range; without any row an extreme is infinite."""
    low, high = extremes[np.isfinite(extremes).all(1)].T
    return (float(low.mean()), float(high.mean())) if averaged else (float(low.min()), float(high.max()))
