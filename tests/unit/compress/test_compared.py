"""Each model is judged by the thresholds that its own answers chose."""

from __future__ import annotations

import numpy as np
import torch

from dsray.base.batch import Batch
from dsray.compress.compared import Targets, compared
from dsray.compress.onnx_model import Outputs
from dsray.targets import LabelsSpec


def test_what_the_model_gives_to_every_row_is_read_by_its_own_thresholds():
    spec = LabelsSpec(column="tags", labels=("a", "b"), thresholds=(0.5, 0.5))
    logits = np.array([[1.0, -1.0], [0.2, -1.0]], np.float32)
    rows, target = torch.arange(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    batch = Batch({"x": torch.zeros(2, 1)}, target, rows, rows)
    int8 = spec.replace(thresholds=(0.6, 0.5))  # 0.2 is a probability of 0.55
    found = compared("gate", Outputs(logits, None), Outputs(logits, None), batch, Targets(spec, int8))
    assert (found["gate_torch"], found["gate_int8"]) == (1.0, 0.5)
    assert found["gate_one_answer"] == "a"
