"""Augmentation: pure operations on batches of columns, seeded by row and epoch."""

from typing import Annotated

from pydantic import Field

from dsray.augment.gaussian_noise import GaussianNoiseConfig
from dsray.augment.operation import OperationConfig
from dsray.augment.runner import augment
from dsray.augment.shift import ShiftConfig
from dsray.base import Config, one_of

AnyOperation = Annotated[OperationConfig, one_of(GaussianNoiseConfig, ShiftConfig)]


class AugmentConfig(Config):
    """The `augment` section: what happens to each training row each time it is drawn."""

    operations: tuple[AnyOperation, ...] = Field((), description="operations in order; none: rows stay as they are")


__all__ = ["AnyOperation", "AugmentConfig", "GaussianNoiseConfig", "OperationConfig", "ShiftConfig", "augment"]
