"""Gaussian noise on every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from dsray.augment.operation import OperationConfig
from dsray.base.noise import normal
from dsray.inputs import ImageSpec, InputSpec, TensorSpec

if TYPE_CHECKING:
    from dsray.base.protocols import Columns


class GaussianNoiseConfig(OperationConfig):
    """Adds normal noise to the image."""

    reads: ClassVar[type[InputSpec] | None] = ImageSpec

    kind: Literal["gaussian_noise"] = "gaussian_noise"
    sigma: float = Field(0.1, gt=0, le=1, description="standard deviation; 1 is from black to white")

    def make(self, tensors: Mapping[str, TensorSpec]) -> GaussianNoise:
        (image,) = tensors
        return GaussianNoise(self.sigma, image)


@dataclass(frozen=True)
class GaussianNoise:
    """image + sigma * noise, a fresh draw for each row and epoch; the result is clipped to [0, 1]."""

    sigma: float
    image: str

    def __call__(self, columns: Columns, key: int) -> Columns:
        image = columns[self.image]
        noisy = normal(key, columns["row"], columns["epoch"], image.shape[1:])
        noisy *= np.float32(self.sigma)
        noisy += image
        return {**columns, self.image: np.clip(noisy, 0, 1, out=noisy)}
