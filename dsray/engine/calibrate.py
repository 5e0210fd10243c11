"""Calibration: what a kind of target chooses on validation rows once the weights of a model stand, thresholds and the like."""

from __future__ import annotations

import torch

from dsray.base.routed import Routed
from dsray.data import Prepared, labelled, to_batch
from dsray.data.schema import Schema
from dsray.engine.evaluate import evaluate
from dsray.engine.validate import ROWS


def calibrate(model: Routed, data: Prepared, device: torch.device) -> Schema:
    """The schema with the target as the answers to the validation rows calibrate it, by which the model answers from now on.

    A target that chooses nothing costs no pass over the rows. device: where the model stands.
    """
    target = data.schema.target
    if not target.calibrates:
        return data.schema
    rows = labelled(data, data.splits["validation"])
    parts = (rows[i : i + ROWS] for i in range(0, len(rows), ROWS))
    found = evaluate(model, (to_batch(data.take(part), data.schema).to(device) for part in parts))
    schema = data.schema.replace(target=target.calibrated(found.logits.numpy(), found.target.numpy()))
    model.likelihood = schema.target.likelihood()
    return schema


def check_calibration(data: Prepared) -> None:
    """A RequestError that names the field where there are fewer validation rows than calibration needs."""
    data.schema.target.check_rows(len(labelled(data, data.splits["validation"])))
