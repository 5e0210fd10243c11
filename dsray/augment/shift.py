"""Shift by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from dsray.augment.operation import OperationConfig
from dsray.base.noise import uniform

if TYPE_CHECKING:
    from dsray.base.protocols import Columns


class ShiftConfig(OperationConfig):
    """Moves the image sideways and up or down; what comes in at the border is black."""

    kind: Literal["shift"] = "shift"
    pixels: int = Field(1, ge=1, description="largest shift along each axis; every whole shift is equally likely")

    def make(self) -> Shift:
        return Shift(self.pixels)


@dataclass(frozen=True)
class Shift:
    """Each row by its own whole shift in -pixels..pixels along y and x."""

    pixels: int

    def __call__(self, columns: Columns, key: int) -> Columns:
        if "image" not in columns:
            return columns
        image, most = columns["image"], self.pixels
        height, width = image.shape[2:]
        offset = uniform(key, columns["row"], columns["epoch"], (2,)) * np.float32(2 * most + 1)
        y, x = offset.astype(np.int64).T
        padded = np.pad(image, ((0, 0), (0, 0), (most, most), (most, most)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        return {**columns, "image": windows[np.arange(len(image)), :, y, x]}
