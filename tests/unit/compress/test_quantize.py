"""Codes and scales of the integer weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from dsray.compress.quantize import activations, int8_scales, quantize
from dsray.compress.ranges import activation_ranges

IDS = {"ids": np.arange(64)}


@pytest.mark.parametrize("axis", [0, 1])
def test_codes_use_the_whole_range_of_int8(axis):
    weights = np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32)
    scale = int8_scales(weights, axis)
    codes = np.round(weights / scale)
    others = 1 - axis
    lowest, highest = codes.min(others), codes.max(others)
    assert lowest.min() == -128
    assert highest.max() == 127
    assert ((lowest == -128) | (highest == 127)).all()  # no channel has a needlessly coarse scale
    assert (lowest >= -128).all() and (highest <= 127).all()  # and none is clipped


def test_channels_of_one_sign_and_of_zeros():
    weights = np.array([[0, 0, 0], [-64, -1, 0], [127, 0, 1]], np.float32)
    assert int8_scales(weights, axis=0).ravel().tolist() == [1, 0.5, 1]


RNG = np.random.default_rng(0)
WEIGHTS = {
    "table": RNG.normal(size=(64, 32)).astype(np.float32),
    "gemm": RNG.normal(size=(48, 32)).astype(np.float32),  # transposed: output channels first
    "bias": RNG.normal(2, size=48).astype(np.float32),
    "matmul": RNG.normal(size=(48, 10)).astype(np.float32),
}
WEIGHTS["gemm"][3] = 0


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A graph with the three places where weights are: a table, a Gemm with a bias, a MatMul."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], axis=0),
        helper.make_node("Gemm", ["rows", "gemm", "bias"], ["wide"], name="first", transB=1),
        helper.make_node("Relu", ["wide"], ["positive"]),
        helper.make_node("MatMul", ["positive", "matmul"], ["logits"], name="second"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(values, name) for name, values in WEIGHTS.items()],
    )
    path = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def quantized(source, target, without=()):
    """The int8 graph, as if no row had reached the tensors `without`."""
    ranges = activation_ranges(source, activations(source), IDS, averaged=False)
    quantize(source, target, {name: found for name, found in ranges.items() if name not in without}, IDS)
    return target


@pytest.fixture
def exact(monkeypatch):
    """As on a machine that multiplies 8-bit integers exactly."""
    monkeypatch.setattr("dsray.compress.quantize.saturates", lambda: False)


def test_weights_stop_at_64_where_sums_of_16_bits_would_saturate(source, tmp_path, monkeypatch):
    monkeypatch.setattr("dsray.compress.quantize.saturates", lambda: True)
    quantized(source, tmp_path / "int8.onnx")
    stored = [numpy_helper.to_array(t) for t in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    for name in ("gemm", "matmul"):
        (codes,) = [t for t in stored if t.dtype == np.int8 and t.shape == WEIGHTS[name].shape]
        assert codes.min() == -64 and codes.max() <= 64


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("unreached", [(), ("wide",), ("positive", "logits")], ids=["reached", "gemm", "matmul"])
@pytest.mark.parametrize(("name", "axis"), [("table", 0), ("gemm", 0), ("matmul", 1)])
def test_each_weight_is_within_half_a_step_of_its_codes(source, tmp_path, unreached, name, axis):
    quantized(source, tmp_path / "int8.onnx", unreached)
    weights, scale = WEIGHTS[name], int8_scales(WEIGHTS[name], axis)
    stored = [numpy_helper.to_array(t) for t in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    (codes,) = [t for t in stored if t.dtype == np.int8 and t.shape == weights.shape]
    assert codes.min() == -128
    assert (np.abs(codes * scale - weights) <= scale / 2 * (1 + 1e-5)).all()
    assert any(t.dtype == np.float32 and np.array_equal(t.ravel(), scale.ravel()) for t in stored)


@pytest.mark.usefixtures("exact")
def test_biases_follow_the_scales_of_their_weights(source, tmp_path):
    """onnxruntime adds them to the integer product, so their scale is that of the input times that of the weights."""
    quantized(source, tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    (node,) = [n for n in graph.node if n.op_type == "DequantizeLinear" and stored_type(stored, n) == np.int32]
    codes, scale = stored[node.input[0]], stored[node.input[1]]
    of_weights = int8_scales(WEIGHTS["gemm"], axis=0).ravel()
    activations = {float(stored[n.input[1]]) for n in graph.node if n.op_type == "QuantizeLinear"}
    assert (np.abs(codes * scale.astype(np.float64) - WEIGHTS["bias"]) <= scale / 2 * (1 + 1e-5)).all()
    assert any(np.allclose(scale, activation * of_weights, rtol=1e-6) for activation in activations)


def stored_type(stored, node):
    return stored[node.input[0]].dtype if node.input[0] in stored else None


def answers(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, IDS)[0]


@pytest.mark.parametrize("unreached", [(), ("wide",), ("rows", "wide", "positive", "logits")], ids=len)
def test_the_integer_graph_answers_as_its_source(source, tmp_path, unreached):
    wanted = answers(source)
    assert np.abs(answers(quantized(source, tmp_path / "int8.onnx", unreached)) - wanted).max() < (
        0.05 * np.abs(wanted).max()
    )


def test_tables_that_are_shared_or_read_by_columns_and_weights_of_one_output(tmp_path):
    """The shared table stays in floating point only where something other than a gather of rows reads it."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["one"], axis=0),
        helper.make_node("Gather", ["table", "ids"], ["two"], axis=0),
        helper.make_node("Add", ["one", "two"], ["both"]),
        helper.make_node("Gather", ["columns", "ids"], ["turned"], axis=1),
        helper.make_node("Transpose", ["turned"], ["rows"], perm=[1, 0]),
        helper.make_node("Add", ["both", "rows"], ["sum"]),
        helper.make_node("MatMul", ["sum", "vector"], ["logits"]),
    ]
    weights = {
        "table": WEIGHTS["table"],
        "columns": WEIGHTS["table"].T.copy(),
        "vector": WEIGHTS["gemm"][0],
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "a.onnx")
    quantized(tmp_path / "a.onnx", tmp_path / "b.onnx")
    stored = [numpy_helper.to_array(t) for t in onnx.load(tmp_path / "b.onnx").graph.initializer]
    kinds = {(t.shape, t.dtype.name) for t in stored if t.size > 1}
    assert {((64, 32), "int8"), ((32, 64), "float32"), ((32,), "int8")} <= kinds and ((64, 32), "float32") not in kinds
    wanted = answers(tmp_path / "a.onnx")
    assert np.abs(answers(tmp_path / "b.onnx") - wanted).max() < 0.05 * np.abs(wanted).max()
