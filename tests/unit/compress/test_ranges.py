"""The ranges of activations, where a graph sends some rows through a part and none through another."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from dsray.compress.ranges import activation_ranges


@pytest.fixture
def graph(tmp_path):
    """Two experts: of rows above zero and of rows below; the second doubles them."""
    nodes = [helper.make_node("Greater", ["x", "zero"], ["above"]), helper.make_node("Not", ["above"], ["below"])]
    nodes += [helper.make_node("Compress", ["x", side], [f"of_{side}"], axis=0) for side in ("above", "below")]
    nodes.append(helper.make_node("Mul", ["of_below", "two"], ["twice"]))
    constants = {"zero": np.float32(0), "two": np.float32(2)}
    model = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("of_above", "twice")],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "g.onnx")
    return tmp_path / "g.onnx"


def ranges(graph, rows, averaged=False):
    return activation_ranges(
        graph, ["of_above", "twice", "twice"], {"x": np.array(rows, np.float32)}, averaged=averaged
    )


def test_the_extremes_of_all_batches(graph):
    rows = np.concatenate([np.linspace(1, 2, 64), np.linspace(-3, 4, 65)])
    assert ranges(graph, rows) == {
        "of_above": (pytest.approx(4 / 65, abs=0.1), 4),
        "twice": (-6, pytest.approx(0, abs=0.2)),
    }


def test_what_no_row_reached_has_no_range(graph):
    assert ranges(graph, [1, 2, 3]) == {"of_above": (1, 3)}


def test_a_batch_without_a_row_counts_for_nothing_in_the_mean(graph):
    rows = [*[1.0] * 64, *[2.0] * 63, -5.0, *[4.0] * 64]
    assert ranges(graph, rows, averaged=True) == {
        "of_above": (pytest.approx(7 / 3), pytest.approx(7 / 3)),
        "twice": (-10, -10),
    }
