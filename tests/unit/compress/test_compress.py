"""Export, quantisation, gate and artefact."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dsray.base import RequestError, RunFailure
from dsray.compress import Artefact, CompressConfig, OnnxModel
from dsray.compress.compress import Rows, columns, compress
from dsray.compress.export import export_onnx
from dsray.compress.onnx_model import Outputs
from dsray.compress.parity import parity
from dsray.data import draw, to_batch
from dsray.models import RoutedConfig


def rows_of(data, split, count=None):
    return to_batch(data.take(data.splits[split][:count]), data.schema)


@pytest.fixture(scope="module")
def model(digits):
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(120):
        ids, _ = draw(0, "fit", digits.splits["train"], 64, step)
        batch = to_batch(digits.take(ids), digits.schema)
        output = model(batch.inputs, batch.present)
        optimizer.zero_grad()
        sum(F.cross_entropy(logits, batch.target) for logits in output.exits).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def artefact(digits, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "compressed"
    rows = Rows(rows_of(digits, "train", 256), rows_of(digits, "validation"), None, rows_of(digits, "test"))
    report = compress(model, digits.schema, rows, CompressConfig(max_loss_points=3), folder)
    return folder, report


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.1], ids=["all leave", "some leave", "none leaves"])
@pytest.mark.parametrize("rows", [1, 7, 32])
@pytest.mark.parametrize("experts", [{}, {"per": "token", "top_k": 2}], ids=["sample", "token"])
def test_the_graph_takes_the_same_route(digits, model, tmp_path, threshold, rows, experts):
    torch.manual_seed(3)
    tree = {"trunk": {"experts": experts}}
    subject = RoutedConfig.model_validate(tree).build(digits.schema).eval() if experts else model
    kept = subject.depth
    subject.depth = type(kept)(kept.exits, kept.limit, threshold)
    try:
        export_onnx(subject, rows_of(digits, "test", 4), tmp_path / "m.onnx")
        batch = rows_of(digits, "test", rows)
        graph = OnnxModel(tmp_path / "m.onnx").run(columns(batch))
        with torch.no_grad():
            output = subject(batch.inputs, batch.present)
    finally:
        subject.depth = kept
    assert graph.blocks_run.tolist() == output.blocks_run.tolist()
    assert float(np.abs(graph.logits - output.logits.numpy()).max()) <= 1e-4


def test_experts_without_rows_are_exported_too(digits, model, tmp_path):
    with torch.no_grad():
        for block in model.trunk:
            block.experts.bias += torch.tensor([9.0, 0, 0, 0])
    try:
        export_onnx(model, rows_of(digits, "test", 4), tmp_path / "m.onnx")
        batch = rows_of(digits, "test", 5)
        with torch.no_grad():
            output = model(batch.inputs, batch.present)
        assert output.expert_load[0].tolist() == [5, 0, 0, 0]
        gap = np.abs(OnnxModel(tmp_path / "m.onnx").run(columns(batch)).logits - output.logits.numpy()).max()
    finally:
        with torch.no_grad():
            for block in model.trunk:
                block.experts.bias -= torch.tensor([9.0, 0, 0, 0])
    assert gap <= 1e-4


def test_an_export_leaves_each_module_in_its_mode(digits, model, tmp_path):
    part = copy.deepcopy(model).train()
    part.encoders["image"].eval()
    modes = [module.training for module in part.modules()]
    export_onnx(part, rows_of(digits, "train", 4), tmp_path / "m.onnx")
    assert [module.training for module in part.modules()] == modes
    assert 0 < sum(modes) < len(modes)


def test_the_report_holds_what_was_asked_for(artefact):
    _, report = artefact
    assert report["parity"]["same_route"] == 1.0
    assert report["parity"]["max_abs_logit"] <= 1e-4
    assert report["size_ratio"] <= 0.33
    assert abs(report["loss_points"]) <= 3
    assert {(s["engine"], s["batch"]) for s in report["speed"]} == {
        (engine, batch) for engine in ("torch eager fp32", "onnxruntime fp32", "onnxruntime int8") for batch in (1, 32)
    }


def test_weights_are_int8(artefact):
    import onnx

    model = onnx.load(artefact[0] / "model.onnx")
    large = [t for t in model.graph.initializer if np.prod(t.dims) >= 1024]
    floating = [t.name for t in large if t.data_type == onnx.TensorProto.FLOAT]
    assert len(large) > 20
    assert not floating


def test_rows_that_go_deeper_than_those_of_calibration_are_answered_as_well(digits, model, tmp_path, monkeypatch):
    """Calibrated on rows that all leave at the first exit, int8 is right about those that run every block."""
    monkeypatch.setattr(model, "depth", replace(model.depth, threshold=0.55))
    with torch.no_grad():
        train, test = rows_of(digits, "train", 1000), rows_of(digits, "test")
        shallow = train.select((run := blocks_run(model, train)) == run.min())
        deep = test.select((run := blocks_run(model, test)) == run.max())
    assert len(shallow) > 300 and len(deep) > 50
    compress(
        model, digits.schema, Rows(shallow, shallow, None, deep), CompressConfig(max_loss_points=3), tmp_path / "c"
    )
    assert agreement(model, deep, tmp_path / "c") > 0.9


def blocks_run(model, batch):
    return model(batch.inputs, batch.present).blocks_run


def agreement(model, batch, artefact):
    """The part of the rows that int8 answers as torch does."""
    int8 = Artefact.load(artefact).model().run_all(columns(batch), len(batch)).logits
    return (int8.argmax(1) == model.classify(batch).argmax(1).numpy()).mean()


def test_an_expert_that_no_row_of_calibration_chose_answers_as_well(digits, model, tmp_path):
    """It has no ranges: its activations stay in floating point, its weights are int8."""
    rows = rows_of(digits, "train", 600)
    with torch.no_grad():
        alone = [rows.select(slice(i, i + 1)) for i in range(600)]
        chosen = torch.stack([model(row.inputs, row.present).expert_load[0] for row in alone]).bool()
    counts = chosen.sum(0)
    expert = int(torch.where(counts >= 50, counts, 600).argmin())  # the least used of those that are really used
    with_it, without = rows.select(chosen[:, expert]), rows.select(~chosen[:, expert])
    assert len(with_it) >= 50
    compress(
        model, digits.schema, Rows(without, without, None, with_it), CompressConfig(max_loss_points=3), tmp_path / "c"
    )
    int8 = Artefact.load(tmp_path / "c").model().run_all(columns(with_it), len(with_it)).logits
    gap = np.abs(int8 - model.classify(with_it).detach().numpy()).max(1)
    assert np.quantile(gap, 0.95) < 0.5  # logits reach 5; a row at the border of two experts may take the other


def test_a_graph_that_fails_only_at_full_depth_is_not_written(digits, model, tmp_path, monkeypatch):
    """Here every row leaves at the first exit; the ranges of all that comes after are made far too small."""
    of_all = sys.modules["dsray.compress.compress"].activation_ranges

    def narrow(graph, tensors, rows, *, averaged):
        reached = of_all(graph.with_name("fp32.onnx"), tensors, rows, averaged=averaged)
        return {
            name: (low / 99, high / 99) for name, (low, high) in of_all(graph, tensors, rows, averaged=averaged).items()
        } | reached

    monkeypatch.setattr("dsray.compress.compress.activation_ranges", narrow)
    monkeypatch.setattr(model, "depth", replace(model.depth, threshold=0.0))
    rows = Rows(rows_of(digits, "train", 256), rows_of(digits, "validation"), None, rows_of(digits, "test"))
    with pytest.raises(
        RunFailure,
        match=r"closest .*: gate -?0.\d\d points lost \(.*\), gate full depth \d\d.\d\d points lost \(6\d.\d\d % to",
    ):
        compress(model, digits.schema, rows, CompressConfig(max_loss_points=3), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_gate_that_compares_nothing_says_so(digits, model, tmp_path):
    """A model with one answer for every row passes; the report names the answer and what a constant is worth."""
    constant = copy.deepcopy(model)
    with torch.no_grad():
        for head in (constant.head, *constant.exits.values()):
            head.linear.weight.zero_()
            head.linear.bias.copy_(torch.arange(12) == 3)
    test, wrong = rows_of(digits, "test", 200), rows_of(digits, "test", 200)
    wrong = replace(wrong, target=torch.where(wrong.target == 3, 4, wrong.target))
    rows = Rows(rows_of(digits, "train", 64), test, wrong, test, wrong)
    report = compress(constant, digits.schema, rows, CompressConfig(max_loss_points=0), tmp_path / "c")
    name, share = digits.schema.target.classes[3], float((test.target == 3).double().mean())
    for key in ("gate", "gate_full_depth", "accuracy"):
        assert report[f"{key}_one_answer"] == name
        assert report[f"{key}_torch"] == report[f"{key}_int8"] == pytest.approx(share)
        assert report[f"{key}_chance"] == pytest.approx(int(test.target.bincount().max()) / 200)
    for key in ("gate_adversarial", "adversarial"):
        assert report[f"{key}_torch"] == report[f"{key}_int8"] == 0.0
    assert "accuracy_one_answer" not in Artefact.load(tmp_path / "c").manifest.get("metrics", {})


def test_rows_of_an_unknown_class_are_wrong_in_both_forms(digits, model, tmp_path):
    test = rows_of(digits, "test", 200)
    half = replace(test, target=torch.where(torch.arange(200) % 2 > 0, -1, test.target))
    rows = Rows(rows_of(digits, "train", 200), half, None, half)
    report = compress(model, digits.schema, rows, CompressConfig(max_loss_points=5), tmp_path / "c")
    with torch.no_grad():
        right = (model.classify(test).argmax(1) == half.target).double()
    assert report["accuracy_torch"] == pytest.approx(float(right.mean())) and report["accuracy_torch"] < 0.5


def test_a_failed_gate_writes_nothing(digits, model, tmp_path):
    wrong = rows_of(digits, "validation", 64)
    with torch.no_grad():
        answers = model.classify(wrong).argmax(-1)
    wrong = type(wrong)(wrong.inputs, answers, wrong.rows, wrong.epochs, wrong.present)
    noise = torch.rand(256, *wrong.inputs["image"].shape[1:]) * 1e-4  # calibrated on blackness, int8 clips everything
    blind = rows_of(digits, "train", 256).with_input("image", noise).without("text")
    rows = Rows(blind, wrong, None, wrong)
    with pytest.raises(RunFailure, match="nothing was written; closest"):
        compress(model, digits.schema, rows, CompressConfig(max_loss_points=0), tmp_path / "compressed")
    assert not (tmp_path / "compressed").exists()


def test_parity_refuses_another_graph():
    logits = np.zeros((200, 3), np.float32)
    good = Outputs(logits, np.ones(200, np.int64))
    assert parity(good, good) == {"rows": 200, "same_route": 1.0, "max_abs_logit": 0.0}
    with pytest.raises(RunFailure, match="largest gap"):
        parity(good, Outputs(logits + 1e-3, good.blocks_run))
    with pytest.raises(RunFailure, match=r"same route on 99.00%"):
        parity(good, Outputs(logits, np.array([2, 2, *[1] * 198])))


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "report.json"])
def test_one_altered_byte_is_refused(artefact, tmp_path, name):
    import shutil

    folder = shutil.copytree(artefact[0], tmp_path / "copy")
    assert Artefact.load(folder).version == Artefact.load(artefact[0]).version
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(RequestError, match=f"{name}.* altered"):
        Artefact.load(folder)


def test_altered_white_space_of_the_manifest_is_refused(artefact, tmp_path):
    import shutil

    folder = shutil.copytree(artefact[0], tmp_path / "copy")
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content.replace(b"\n", b"\t", 1))
    with pytest.raises(RequestError, match=r"manifest.json.* altered"):
        Artefact.load(folder)


def test_an_artefact_is_data(artefact):
    assert sorted(p.name for p in artefact[0].iterdir()) == ["manifest.json", "model.onnx", "report.json"]
    manifest = json.loads((artefact[0] / "manifest.json").read_text())
    assert {"format", "opset", "schema", "threshold", "compute", "files", "sha256", "version"} <= set(manifest)
