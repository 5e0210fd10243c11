"""Models: encoders, one shared projection, routed trunk, heads; or a module of the user's own."""

from dsray.models.base import ModelConfig
from dsray.models.config import AnyModel, RoutedConfig
from dsray.models.experts import ExpertsConfig
from dsray.models.files import load_model, load_part, save_model
from dsray.models.model import RoutedModel
from dsray.models.parameters import active_parameters, count_parameters, skeleton
from dsray.models.trunk import TrunkConfig

__all__ = [
    "AnyModel",
    "ExpertsConfig",
    "ModelConfig",
    "RoutedConfig",
    "RoutedModel",
    "TrunkConfig",
    "active_parameters",
    "count_parameters",
    "load_model",
    "load_part",
    "save_model",
    "skeleton",
]
