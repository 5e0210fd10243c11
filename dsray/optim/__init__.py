"""Optimisers, learning rates per layer, parameter patterns and Fisher information."""

from typing import Annotated

from dsray.base import one_of
from dsray.optim.adamw import AdamWConfig
from dsray.optim.fisher import FisherKind, diagonal_fisher
from dsray.optim.optimizer import OptimizerConfig, load_named_state, named_state
from dsray.optim.patterns import Pattern, first_match, trainable_names
from dsray.optim.rates import LayerRate, Rates
from dsray.optim.sgd import SgdConfig

AnyOptimizer = Annotated[OptimizerConfig, one_of(AdamWConfig, SgdConfig)]

__all__ = [
    "AdamWConfig",
    "AnyOptimizer",
    "FisherKind",
    "LayerRate",
    "OptimizerConfig",
    "Pattern",
    "Rates",
    "SgdConfig",
    "diagonal_fisher",
    "first_match",
    "load_named_state",
    "named_state",
    "trainable_names",
]
