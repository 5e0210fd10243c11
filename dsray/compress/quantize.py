"""int8 weights per output channel, 8-bit asymmetric activations in given ranges (onnxruntime, QDQ format)."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from dsray.compress.export import slim
from dsray.compress.ranges import Ranges
from dsray.compress.saturation import saturates

PRODUCTS = ("MatMul", "Gemm")
LAYERS = ("Conv", "ConvTranspose", "GRU", "LSTM", "RNN")
"""Operations with weights of their own that are not quantised."""


class _Once(CalibrationDataReader):
    """One feed: quantize_static wants to calibrate, though every range is given to it."""

    def __init__(self, feed: dict[str, np.ndarray]):
        self.feeds = iter((feed,))

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def activations(source: Path) -> list[str]:
    """The tensors of the fp32 graph `source` whose ranges `quantize` takes: what goes into products and comes out."""
    return [name for node in _products(onnx.load(source)) for name in (node.input[0], node.output[0])]


def quantize(source: Path, target: Path, ranges: Ranges, example: Mapping[str, np.ndarray]) -> None:
    """Write the int8 model of the fp32 graph `source`.

    ranges: of its `activations`. example: graph input -> a few rows. Weights become int8 in [-128, 127] with zero point
    0, one scale per output channel; tables of embeddings int8 with one scale per row. Products of two activations stay
    in floating point, and so does a product whose range is unknown, with int8 weights all the same. Activations are
    uint8; where the machine adds uint8 x int8 in 16 bits (`saturates`), weights of products stop at 64.
    """
    # quantize_static measures ranges of its own and knows codes from -127 on. Here the ranges are given, and the scales of
    # the weights too: both go in as overrides, and its calibration, which it insists on, gets one feed. A product of an
    # expert that no calibration row chose has no range. Any guess would be wrong for the first row that comes, so its
    # activations stay as they are, and its weights are stored in 8 bits and multiplied out when they are used.
    model = onnx.load(source)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = _products(model)
    known = [n for n in products if n.input[0] in ranges and n.output[0] in ranges]
    overrides = {n.input[1]: _channels(weights[n.input[1]], transposed=_transposed(n)) for n in known}
    for name in {name for n in known for name in (n.input[0], n.output[0])}:
        low, high = ranges[name]
        overrides[name] = [{"rmin": np.array(low, np.float32), "rmax": np.array(high, np.float32)}]
    with _silence():
        quantize_static(
            str(source),
            str(target),
            _Once(dict(example)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(PRODUCTS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=[n.name for n in model.graph.node if n.op_type in PRODUCTS and n not in known],
            extra_options={"ActivationSymmetric": False, "TensorQuantOverrides": overrides},
        )
    quantized = onnx.load(target)
    _quantize_weights(quantized, {n.input[1]: _transposed(n) for n in products if n not in known})
    _quantize_tables(quantized)
    onnx.save(slim(quantized), target)


def left_fp32(source: Path) -> dict[str, int]:
    """Layers of the fp32 graph that `quantize` leaves as they are: operation -> how many."""
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    found = Counter(n.op_type for n in model.graph.node if n.op_type in LAYERS and n.input[1] in weights)
    return dict(sorted(found.items()))


def _products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The products of an activation with weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [n for n in model.graph.node if n.op_type in PRODUCTS and n.input[1] in weights]


def int8_scales(weights: np.ndarray, axis: int) -> np.ndarray:
    """The least scale of each channel along `axis` (kept, of length 1 elsewhere) at which its codes fit [-128, 127].

    onnxruntime's own symmetric weights stop at -127; the code -128 makes the steps of a channel whose largest
    magnitude is negative up to 0.8 % finer. A channel of zeros has scale 1.
    """
    others = tuple(i for i in range(weights.ndim) if i != axis)
    scale = np.maximum(weights.max(others, keepdims=True) / 127, weights.min(others, keepdims=True) / -128)
    return np.where(scale < np.finfo(np.float32).tiny, 1, scale).astype(np.float32)


def _channels(tensor: onnx.TensorProto, *, transposed: bool) -> list[dict[str, object]]:
    """The scales as quantize_static takes them; it makes the codes, and the scales of the biases, from these.

    One for each output: the last axis, or the first of transposed weights.
    """
    weights = numpy_helper.to_array(tensor)
    coarser = np.float32(2 if saturates() else 1)  # 2 * 255 * 64 is the largest sum that 16 bits hold
    if weights.ndim == 1:  # a single output
        return [{"scale": (coarser * int8_scales(weights[None], 0)).item(), "zero_point": 0}]
    axis = _outputs(weights, transposed)
    return [{"axis": axis, "scale": coarser * scale, "zero_point": 0} for scale in int8_scales(weights, axis).ravel()]


def _outputs(weights: np.ndarray, transposed: bool) -> int:
    return 0 if transposed else weights.ndim - 1


def _transposed(product: onnx.NodeProto) -> bool:
    """Whether a MatMul or Gemm takes its weights with the outputs first."""
    return any(a.name == "transB" and a.i for a in product.attribute)


def _quantize_weights(model: onnx.ModelProto, transposed: Mapping[str, bool]) -> None:
    """Float weights (name -> whether outputs come first) become int8 codes that are multiplied out when they are used."""
    for tensor in [t for t in model.graph.initializer if t.name in transposed and len(t.dims) > 1]:
        weights = numpy_helper.to_array(tensor)
        axis = _outputs(weights, transposed[tensor.name])
        scale = int8_scales(weights, axis)
        name, codes = tensor.name, np.clip(np.round(weights / scale), -128, 127).astype(np.int8)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.extend(
            [numpy_helper.from_array(codes, f"{name}/codes"), numpy_helper.from_array(scale.ravel(), f"{name}/scale")]
        )
        model.graph.node.insert(
            0, helper.make_node("DequantizeLinear", [f"{name}/codes", f"{name}/scale"], [name], axis=axis)
        )


def _quantize_tables(model: onnx.ModelProto) -> None:
    """Gather of rows from a float table becomes gather from int8 rows and their scales, then a product."""
    # quantize_static would give a table one scale, though its rows differ in magnitude, and multiply out the whole table
    # to take a few rows of it. Codes and scales are gathered apart instead, and only what was gathered is multiplied.
    # Below 1024 numbers the further nodes cost more than the table saves. A graph lists its nodes in the order of their
    # use, so the list is made anew.
    tables = {t.name: t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) == 2}
    nodes: list[onnx.NodeProto] = []
    replaced: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or np.prod(table.dims) < 1024 or any(a.name == "axis" and a.i for a in node.attribute):
            nodes.append(node)
            continue
        replaced[table.name] = table
        name, indices, out = table.name, node.input[1], node.output[0]
        nodes += [
            helper.make_node("Gather", [f"{name}/codes", indices], [f"{out}/codes"], axis=0),
            helper.make_node("Cast", [f"{out}/codes"], [f"{out}/float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}/scale", indices], [f"{out}/scale"], axis=0),
            helper.make_node("Mul", [f"{out}/float", f"{out}/scale"], [out]),
        ]
    for name, table in replaced.items():
        values = numpy_helper.to_array(table)
        scale = int8_scales(values, axis=0)
        codes = np.clip(np.round(values / scale), -128, 127).astype(np.int8)
        if not any(name in node.input for node in nodes) and name not in {o.name for o in model.graph.output}:
            model.graph.initializer.remove(table)
        model.graph.initializer.extend(
            [numpy_helper.from_array(codes, f"{name}/codes"), numpy_helper.from_array(scale, f"{name}/scale")]
        )
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@contextlib.contextmanager
def _silence():  # type: ignore[no-untyped-def]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
