"""Answers of an ONNX model: onnxruntime and numpy only, so that serving needs no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from dsray.base import RunFailure


@dataclass(frozen=True)
class Outputs:
    """logits (rows, outputs) float32; blocks_run (rows,) int64, None of a model that routes nothing."""

    logits: np.ndarray
    blocks_run: np.ndarray | None


def onnx_session(model: Path | bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A silent session on the CPU. The model is its own bytes: weights that it says lie in other files are refused."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    content = model if isinstance(model, bytes) else model.read_bytes()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class OnnxModel:
    """A loaded model. Each row's answer depends on that row alone."""

    def __init__(self, model: Path | bytes, threads: int = 1):
        self.session = onnx_session(model, threads)
        self.inputs = [entry.name for entry in self.session.get_inputs()]
        routed = "blocks_run" in [entry.name for entry in self.session.get_outputs()]
        self.outputs = ["logits", "blocks_run"] if routed else ["logits"]

    @property
    def shapes(self) -> dict[str, list[int | str | None]]:
        """Sizes of a row of each input and output, by name."""
        return {e.name: list(e.shape[1:]) for e in (*self.session.get_inputs(), *self.session.get_outputs())}

    def run(self, columns: Mapping[str, np.ndarray]) -> Outputs:
        """columns: tensor -> values, `present.INPUT` -> bool, as `dsray.data.columns_of` gives them."""
        feed = {name: columns[re.sub("^present_", "present.", name)] for name in self.inputs}
        try:
            logits, *routes = self.session.run(self.outputs, feed)
        except Exception as error:  # onnxruntime has a class for each of its reasons, with no base of their own
            raise RunFailure(f"artefact: its model cannot answer ({' '.join(str(error).split())})") from None
        return Outputs(logits, routes[0] if routes else None)

    def run_all(self, columns: Mapping[str, np.ndarray], rows: int, size: int = 256) -> Outputs:
        """`run` in pieces of `size` rows."""
        pieces = [self.run({k: v[i : i + size] for k, v in columns.items()}) for i in range(0, rows, size)]
        ran = [p.blocks_run for p in pieces if p.blocks_run is not None]
        return Outputs(
            np.concatenate([p.logits for p in pieces]),
            np.concatenate(ran) if ran else None,
        )
