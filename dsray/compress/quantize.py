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

    calibration: graph input -> rows. Weights become int8 in [-127, 127], one scale per output channel; tables of
    embeddings int8 with one scale per row. Products of two activations stay in floating point. Activations are uint8
    times int8, which is exact where the machine has VNNI and may saturate on older x86.
    """
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
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
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True, **METHODS[method]},
        )
    quantized = onnx.load(target)
    _quantize_tables(quantized)
    onnx.save(slim(quantized), target)


def _quantize_tables(model: onnx.ModelProto) -> None:
    """Gather from float tables becomes gather from int8 rows and their scales, then a product."""
    tensors = {t.name: t for t in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "Gather" and n.input[0] in tensors]:
        table = numpy_helper.to_array(tensors[node.input[0]])
        if table.dtype != np.float32 or table.ndim != 2 or table.size < 1024:
            continue
        scale = np.maximum(np.abs(table).max(1, keepdims=True), 1e-12) / 127
        codes = np.clip(np.round(table / scale), -127, 127).astype(np.int8)
        name, indices, out = node.input[0], node.input[1], node.output[0]
        model.graph.initializer.remove(tensors[name])
        model.graph.initializer.extend(
            [numpy_helper.from_array(codes, f"{name}_codes"), numpy_helper.from_array(scale, f"{name}_scale")]
        )
        position = list(model.graph.node).index(node)
        model.graph.node.remove(node)
        new = [
            helper.make_node("Gather", [f"{name}_codes", indices], [f"{out}_codes"], axis=0),
            helper.make_node("Cast", [f"{out}_codes"], [f"{out}_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_scale", indices], [f"{out}_scale"], axis=0),
            helper.make_node("Mul", [f"{out}_float", f"{out}_scale"], [out]),
        ]
        for offset, made in enumerate(new):
            model.graph.node.insert(position + offset, made)


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
