"""Shift by whole pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from dsray.augment.operation import OperationConfig
from dsray.base.noise import uniform
from dsray.inputs import ImageSpec, InputSpec, TensorSpec

if TYPE_CHECKING:
    from dsray.base.protocols import Columns


class ShiftConfig(OperationConfig):
    """Moves the image sideways and up or down; what comes in at the border is black."""

    reads: ClassVar[type[InputSpec] | None] = ImageSpec

    kind: Literal["shift"] = "shift"
    pixels: int = Field(1, ge=1, description="largest shift along each axis; every whole shift is equally likely")

    def make(self, tensors: Mapping[str, TensorSpec]) -> Shift:
        (image,) = tensors
        return Shift(self.pixels, image)


@dataclass(frozen=True)
class Shift:
    """Each row by its own whole shift in -pixels..pixels along y and x."""

    pixels: int
    image: str

    def __call__(self, columns: Columns, key: int) -> Columns:
        image, most = columns[self.image], self.pixels
        height, width = image.shape[2:]
        offset = uniform(key, columns["row"], columns["epoch"], (2,)) * np.float32(2 * most + 1)
        y, x = offset.astype(np.int64).T
        padded = np.pad(image, ((0, 0), (0, 0), (most, most), (most, most)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        return {**columns, self.image: windows[np.arange(len(image)), :, y, x]}
