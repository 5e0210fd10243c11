"""int8 weights per output channel, 8-bit asymmetric activations calibrated on rows (onnxruntime, QDQ format)."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from dsray.compress.export import slim

METHODS: dict[str, dict[str, object]] = {
    "minmax": {},
    "minmax averaged over batches": {"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.1},
}
"""Ways to find the ranges of activations, in the order in which they are tried. Histograms fail on empty row sets."""


class _Rows(CalibrationDataReader):
    def __init__(self, feeds: Iterator[dict[str, np.ndarray]]):
        self.feeds = feeds

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def quantize(source: Path, target: Path, calibration: Mapping[str, np.ndarray], method: str) -> None:
    """Write the int8 model of the fp32 graph `source`.

    calibration: graph input -> rows. Weights become int8 in [-128, 127] with zero point 0, one scale per output
    channel; tables of embeddings int8 with one scale per row. Products of two activations stay in floating point.
    Activations are uint8 times int8, which is exact where the machine has VNNI and may saturate on older x86.
    """
    model = onnx.load(source)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [n for n in model.graph.node if n.op_type in ("MatMul", "Gemm")]
    floating = [n.name for n in products if n.input[1] not in weights]
    rows = len(next(iter(calibration.values())))
    feeds = ({k: v[i : i + 64] for k, v in calibration.items()} for i in range(0, rows, 64))
    with _silence():
        quantize_static(
            str(source),
            str(target),
            _Rows(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=floating,
            extra_options={
                "ActivationSymmetric": False,
                "TensorQuantOverrides": {
                    n.input[1]: _channels(numpy_helper.to_array(weights[n.input[1]]), transposed=_transposed(n))
                    for n in products
                    if n.input[1] in weights
                },
                **METHODS[method],
            },
        )
    quantized = onnx.load(target)
    _quantize_tables(quantized)
    onnx.save(slim(quantized), target)


def int8_scales(weights: np.ndarray, axis: int) -> np.ndarray:
    """The least scale of each channel along `axis` (kept, of length 1 elsewhere) at which its codes fit [-128, 127].

    onnxruntime's own symmetric weights stop at -127; the code -128 makes the steps of a channel whose largest
    magnitude is negative up to 0.8 % finer. A channel of zeros has scale 1.
    """
    others = tuple(i for i in range(weights.ndim) if i != axis)
    scale = np.maximum(weights.max(others, keepdims=True) / 127, weights.min(others, keepdims=True) / -128)
    return np.where(scale < np.finfo(np.float32).tiny, 1, scale).astype(np.float32)


def _channels(weights: np.ndarray, *, transposed: bool) -> list[dict[str, object]]:
    """The scales as quantize_static takes them; it makes the codes, and the scales of the biases, from these.

    One for each output: the last axis, or the first of transposed weights.
    """
    if weights.ndim == 1:  # a single output
        return [{"scale": int8_scales(weights[None], 0).item(), "zero_point": 0}]
    axis = 0 if transposed else weights.ndim - 1
    return [{"axis": axis, "scale": scale, "zero_point": 0} for scale in int8_scales(weights, axis).ravel()]


def _transposed(product: onnx.NodeProto) -> bool:
    """Whether a MatMul or Gemm takes its weights with the outputs first."""
    return any(a.name == "transB" and a.i for a in product.attribute)


def _quantize_tables(model: onnx.ModelProto) -> None:
    """Gather of rows from a float table becomes gather from int8 rows and their scales, then a product."""
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
