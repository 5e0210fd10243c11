"""Augmentation: pure operations on batches of columns, seeded by row and epoch."""

from dsray.augment.config import AnyOperation, AugmentConfig
from dsray.augment.gaussian_noise import GaussianNoiseConfig
from dsray.augment.operation import OperationConfig
from dsray.augment.runner import augment
from dsray.augment.shift import ShiftConfig

__all__ = ["AnyOperation", "AugmentConfig", "GaussianNoiseConfig", "OperationConfig", "ShiftConfig", "augment"]
