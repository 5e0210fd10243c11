"""From a trained model to a gated artefact: export, parity, quantise, gate, write."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from dsray.base import RunFailure
from dsray.base.aside import naming
from dsray.base.batch import Batch
from dsray.base.modes import evaluating
from dsray.base.protocols import Output
from dsray.base.routed import Routed
from dsray.compress.artefact import write_artefact
from dsray.compress.compared import Targets, answered, compared, lost_points
from dsray.compress.config import CompressConfig
from dsray.compress.export import OPSET, export_onnx
from dsray.compress.onnx_model import OnnxModel, Outputs
from dsray.compress.parity import parity
from dsray.compress.quantize import activations, left_fp32, quantize
from dsray.compress.ranges import activation_ranges
from dsray.compress.speed import Call, interleaved
from dsray.data.schema import Schema
from dsray.targets import TargetSpec

METHODS = {"minmax": False, "minmax averaged over batches": True}
"""Ways to find the ranges of activations, in the order in which they are tried."""

GATES = ("gate", "gate_full_depth", "gate_adversarial")
"""What the gate compares: clean rows, the same with every block run, adversarial rows."""


@dataclass(frozen=True)
class Rows:
    """What compression looks at. calibration: training rows; gate_clean, gate_adversarial: rows that decide; test,
    test_adversarial: rows that are only reported. The adversarial ones were made for the torch model."""

    calibration: Batch
    gate_clean: Batch
    gate_adversarial: Batch | None
    test: Batch
    test_adversarial: Batch | None = None


@dataclass(frozen=True)
class _Graphs:
    """The fp32 graph and what becomes of it. `deep` is the same graph, but no row leaves early."""

    folder: Path
    exits: bool

    @property
    def full(self) -> Path:
        return self.folder / "fp32.onnx"

    @property
    def deep(self) -> Path:
        return self.folder / "fp32-deep.onnx" if self.exits else self.full

    @property
    def small(self) -> Path:
        return self.folder / "int8.onnx"

    @property
    def small_deep(self) -> Path:
        return self.folder / "int8-deep.onnx"


def compress(model: Routed, schema: Schema, rows: Rows, config: CompressConfig, out: Path) -> dict[str, Any]:
    """Write the artefact to `out` and return its report; nothing is written when the gate fails (RunFailure).

    The ranges of activations come from rows that ran every block, and the gate looks at such answers too: a row that
    is harder than those of calibration goes deeper than they went.
    """
    with evaluating(model), tempfile.TemporaryDirectory() as scratch, naming(Path(scratch), Path(scratch).parent):
        graphs = _Graphs(Path(scratch), exits=_leaves_early(model))
        example = rows.test.select(slice(0, 4))  # type: ignore[arg-type]
        export_onnx(model, example, graphs.full)
        if graphs.exits:
            with model.without_exits():
                export_onnx(model, example, graphs.deep)
        report: dict[str, Any] = {
            "settings": config.model_dump(mode="json"),
            "parity": parity(_torch(model, rows.test), _graph(OnnxModel(graphs.full, config.threads), rows.test)),
        }
        if kept := left_fp32(graphs.full):
            report["left_fp32"] = kept
        method, targets, found = _best(model, schema.target, graphs, rows, config)
        report |= found | {"calibration": method}
        report |= _figures(model, targets, graphs.small, rows, config)
        report["size_bytes_fp32"], report["size_bytes_int8"] = graphs.full.stat().st_size, graphs.small.stat().st_size
        report["size_ratio"] = report["size_bytes_int8"] / report["size_bytes_fp32"]
        report["speed"] = _speed(model, graphs.full, graphs.small, rows.test, config.threads)
        write_artefact(out, graphs.small, schema.replace(target=targets.int8), _about(model, report), report)
    return report


def _best(
    model: Routed, target: TargetSpec, graphs: _Graphs, rows: Rows, config: CompressConfig
) -> tuple[str, Targets, dict[str, Any]]:
    """The first way of calibration that passes the gate, left in `graphs.small`, the target as its answers calibrate it
    beside that of the model, and what the gate saw."""
    feed = {name.replace("present.", "present_"): values for name, values in columns(rows.calibration).items()}
    example = {name: values[:4] for name, values in feed.items()}
    tried = []
    for method, averaged in METHODS.items():
        ranges = activation_ranges(graphs.deep, activations(graphs.full), feed, averaged=averaged)
        quantize(graphs.full, graphs.small, ranges, example)
        graph = OnnxModel(graphs.small, config.threads)
        targets = Targets(target, _calibrated(target, graph, rows.gate_clean))
        found = _compared("gate", model, graph, rows.gate_clean, targets)
        if graphs.exits:
            quantize(graphs.deep, graphs.small_deep, ranges, example)
            with model.without_exits():
                deep = OnnxModel(graphs.small_deep, config.threads)
                found |= _compared("gate_full_depth", model, deep, rows.gate_clean, targets)
        if rows.gate_adversarial is not None:
            found |= _compared("gate_adversarial", model, graph, rows.gate_adversarial, targets)
        points = {name: lost_points(found, name) for name in GATES if f"{name}_torch" in found}
        found |= {f"{name}_loss_points": value for name, value in points.items()}
        tried.append((method, points, found))
        if _passes(points, config):
            return method, targets, found
    method, points, found = min(tried, key=lambda t: sum(t[1].values()))
    closest = ", ".join(
        f"{name.replace('_', ' ')} {value:.2f} points lost ({100 * found[f'{name}_torch']:.2f} % to "
        f"{100 * found[f'{name}_int8']:.2f} %)"
        for name, value in points.items()
    )
    raise RunFailure(
        f"compress: the gate failed, nothing was written; closest ({method}): {closest}; allowed "
        f"{config.max_loss_points:g} (compress.max_loss_points) and {config.max_adversarial_loss_points:g} "
        "(compress.max_adversarial_loss_points); dsray compress RUN tries again with others"
    )


def _calibrated(target: TargetSpec, graph: OnnxModel, batch: Batch) -> TargetSpec:
    """The target with what is chosen anew on the answers of the integer graph, whose logits are not the model's."""
    if not target.calibrates:
        return target
    return target.calibrated(_graph(graph, batch).logits, batch.target.numpy())


def _leaves_early(model: Routed) -> bool:
    return model.routing is not None and model.routing.threshold is not None


def _passes(points: dict[str, float], config: CompressConfig) -> bool:
    clean = max(points["gate"], points.get("gate_full_depth", 0.0))
    return clean <= config.max_loss_points and points.get("gate_adversarial", 0.0) <= config.max_adversarial_loss_points


def _figures(model: Routed, targets: Targets, small: Path, rows: Rows, config: CompressConfig) -> dict[str, Any]:
    """Accuracy of both models on the test rows, clean and adversarial."""
    graph = OnnxModel(small, config.threads)
    found = _compared("accuracy", model, graph, rows.test, targets)
    found["loss_points"] = lost_points(found, "accuracy")
    if targets.int8.working_point is not None:
        found |= answered(_graph(graph, rows.test), rows.test, targets.int8)
    if rows.test_adversarial is not None:
        found |= _compared("adversarial", model, graph, rows.test_adversarial, targets)
        found["adversarial_loss_points"] = lost_points(found, "adversarial")
    return found


def _compared(name: str, model: Routed, graph: OnnxModel, batch: Batch, targets: Targets) -> dict[str, Any]:
    return compared(name, _torch(model, batch), _graph(graph, batch), batch, targets)


def _speed(model: Routed, full: Path, small: Path, batch: Batch, threads: int) -> list[dict[str, Any]]:
    engines = {"onnxruntime fp32": OnnxModel(full, threads), "onnxruntime int8": OnnxModel(small, threads)}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    lines = []
    for size in (1, 32):
        part = batch.select(torch.arange(size) % len(batch))  # a small test split is repeated
        feed = columns(part)
        calls: dict[str, Call] = {"torch eager fp32": partial(_forward, model, part)}
        calls |= {name: partial(graph.run, feed) for name, graph in engines.items()}
        for name, ms in interleaved(calls).items():
            lines.append({"engine": name, "batch": size, "ms_median": ms})
    torch.set_num_threads(before)
    return lines


def _about(model: Routed, report: dict[str, Any]) -> dict[str, Any]:
    routing = model.routing
    return {
        "opset": OPSET,
        "onnx": onnx.__version__,
        "threshold": routing and routing.threshold,
        "compute": routing and {"blocks": routing.blocks, "budget": routing.budget},
        "metrics": {k: v for k, v in report.items() if isinstance(v, float)},
    }


def columns(batch: Batch) -> dict[str, np.ndarray]:
    """A batch as the arrays that an exported model reads."""
    found = {name: values.numpy() for name, values in batch.inputs.items()}
    return found | {f"present.{name}": flags.numpy() for name, flags in batch.present.items()}


@torch.no_grad()
def _forward(model: Routed, batch: Batch) -> Output:
    output: Output = model(batch.inputs, batch.present)
    return output


def _torch(model: Routed, batch: Batch) -> Outputs:
    """The model's answers, 256 rows at a time."""
    outputs = [_forward(model, batch.select(slice(i, i + 256))) for i in range(0, len(batch), 256)]  # type: ignore[arg-type]
    logits = torch.cat([output.logits for output in outputs])
    ran = [output.blocks_run for output in outputs if output.blocks_run is not None]
    return Outputs(logits.numpy(), torch.cat(ran).numpy() if ran else None)


def _graph(graph: OnnxModel, batch: Batch) -> Outputs:
    return graph.run_all(columns(batch), len(batch))
