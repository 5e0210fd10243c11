"""The `compress` section: what the compressed model may lose."""

from __future__ import annotations

from pydantic import Field

from dsray.base import Config


class CompressConfig(Config):
    """Export to ONNX, int8 weights and activations, and the gate they must pass."""

    calibration_rows: int = Field(512, ge=16, description="training rows that set the ranges of the activations")
    max_loss_points: float = Field(
        0.5,
        ge=0,
        le=100,
        description="accuracy that may be lost on clean rows, in points; with exits also where every row runs every block",
    )
    max_adversarial_loss_points: float = Field(
        1.0, ge=0, le=100, description="accuracy that may be lost on rows made to fool the full model, in points"
    )
    threads: int = Field(1, ge=1, description="threads of the inference session")
