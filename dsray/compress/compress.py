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
from torch import nn

from dsray.base import RunFailure
from dsray.batch import Batch
from dsray.compress.artefact import write_artefact
from dsray.compress.config import CompressConfig
from dsray.compress.export import OPSET, export_onnx
from dsray.compress.parity import parity
from dsray.compress.quantize import METHODS, quantize
from dsray.compress.session import Answers, Session
from dsray.compress.speed import Call, interleaved
from dsray.schema import Schema


@dataclass(frozen=True)
class Rows:
    """What compression looks at. calibration: training rows; gate_clean, gate_adversarial: rows that decide (the
    adversarial ones made for the torch model); test: rows that are only reported."""

    calibration: Batch
    gate_clean: Batch
    gate_adversarial: Batch | None
    test: Batch


def compress(model: nn.Module, schema: Schema, rows: Rows, config: CompressConfig, out: Path) -> dict[str, Any]:
    """Write the artefact to `out` and return its report; nothing is written when the gate fails (RunFailure)."""
    model.eval()
    with tempfile.TemporaryDirectory() as scratch:
        full, small = Path(scratch, "fp32.onnx"), Path(scratch, "int8.onnx")
        export_onnx(model, rows.test.select(slice(0, 4)), full)  # type: ignore[arg-type]
        report: dict[str, Any] = {"parity": parity(_torch(model, rows.test), _graph(full, rows.test, config.threads))}
        method, found = _best(model, full, small, rows, config)
        report |= found | {"calibration": method}
        report |= _figures(model, small, rows, config)
        report["size_bytes_fp32"], report["size_bytes_int8"] = full.stat().st_size, small.stat().st_size
        report["size_ratio"] = report["size_bytes_int8"] / report["size_bytes_fp32"]
        report["speed"] = _speed(model, full, small, rows.test, config.threads)
        write_artefact(out, small, schema, _about(model, report), report)
    return report


def _best(
    model: nn.Module, full: Path, small: Path, rows: Rows, config: CompressConfig
) -> tuple[str, dict[str, float]]:
    """The first way of calibration that passes the gate, left in `small`."""
    feed = columns(rows.calibration)
    tried = []
    for method in METHODS:
        quantize(full, small, {k.replace("present.", "present_"): v for k, v in feed.items()}, method)
        session = Session(small, config.threads)
        found = {"gate_loss_points": _loss(model, session, rows.gate_clean)}
        if rows.gate_adversarial is not None:
            found["gate_adversarial_loss_points"] = _loss(model, session, rows.gate_adversarial)
        tried.append((method, found))
        if _passes(found, config):
            return method, found
    method, found = min(tried, key=lambda t: sum(t[1].values()))
    closest = ", ".join(
        f"{name.removesuffix('_points').replace('_', ' ')} {value:.2f} points" for name, value in found.items()
    )
    raise RunFailure(
        f"compress: the gate failed, nothing was written; closest ({method}): {closest}; allowed "
        f"{config.max_loss_points:g} (compress.max_loss_points) and {config.max_adversarial_loss_points:g} "
        "(compress.max_adversarial_loss_points); dsray compress RUN tries again with others"
    )


def _passes(found: dict[str, float], config: CompressConfig) -> bool:
    adversarial = found.get("gate_adversarial_loss_points", 0.0)
    return found["gate_loss_points"] <= config.max_loss_points and adversarial <= config.max_adversarial_loss_points


def _figures(model: nn.Module, small: Path, rows: Rows, config: CompressConfig) -> dict[str, float]:
    """Accuracy of both models on the test rows, and on the adversarial rows of the gate."""
    session = Session(small, config.threads)
    torch_side, int8 = (
        _accuracy(_torch(model, rows.test), rows.test),
        _accuracy(_session(session, rows.test), rows.test),
    )
    found = {"accuracy_torch": torch_side, "accuracy_int8": int8, "loss_points": 100 * (torch_side - int8)}
    if (attacked := rows.gate_adversarial) is not None:
        torch_side, int8 = (
            _accuracy(_torch(model, attacked), attacked),
            _accuracy(_session(session, attacked), attacked),
        )
        found |= {"adversarial_torch": torch_side, "adversarial_int8": int8}
        found["adversarial_loss_points"] = 100 * (torch_side - int8)
    return found


def _speed(model: nn.Module, full: Path, small: Path, batch: Batch, threads: int) -> list[dict[str, Any]]:
    engines = {"onnxruntime fp32": Session(full, threads), "onnxruntime int8": Session(small, threads)}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    lines = []
    for size in (1, 32):
        part = batch.select(slice(0, size))  # type: ignore[arg-type]
        feed = columns(part)
        calls: dict[str, Call] = {"torch eager fp32": partial(_forward, model, part)}
        calls |= {name: partial(session.run, feed) for name, session in engines.items()}
        for name, ms in interleaved(calls).items():
            lines.append({"engine": name, "batch": size, "ms_median": ms})
    torch.set_num_threads(before)
    return lines


def _about(model: nn.Module, report: dict[str, Any]) -> dict[str, Any]:
    depth = model.depth
    return {
        "opset": OPSET,
        "onnx": onnx.__version__,
        "threshold": depth.threshold if depth.exits else None,  # type: ignore[union-attr]
        "compute": {"blocks": len(model.trunk.blocks), "budget": depth.limit},  # type: ignore[union-attr,arg-type]
        "metrics": {k: v for k, v in report.items() if isinstance(v, float)},
    }


def columns(batch: Batch) -> dict[str, np.ndarray]:
    """A batch as the arrays that a session reads."""
    found = {name: values.numpy() for name, values in batch.inputs.items()}
    return found | {f"present.{name}": flags.numpy() for name, flags in batch.present.items()}


@torch.no_grad()
def _forward(model: nn.Module, batch: Batch):  # type: ignore[no-untyped-def]
    return model(batch.inputs, batch.present)


def _torch(model: nn.Module, batch: Batch) -> Answers:
    output = _forward(model, batch)
    return Answers(output.logits.numpy(), output.logits.softmax(-1).numpy(), output.blocks_run.numpy())


def _session(session: Session, batch: Batch) -> Answers:
    return session.run_all(columns(batch), len(batch))


def _graph(path: Path, batch: Batch, threads: int) -> Answers:
    return _session(Session(path, threads), batch)


def _accuracy(answers: Answers, batch: Batch) -> float:
    return float((answers.logits.argmax(-1) == batch.target.numpy()).mean())


def _loss(model: nn.Module, session: Session, batch: Batch) -> float:
    """Accuracy lost by the integer model, in points."""
    return 100 * (_accuracy(_torch(model, batch), batch) - _accuracy(_session(session, batch), batch))
