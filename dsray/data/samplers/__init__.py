"""Samplers: position in a stage -> row id and epoch. Pure functions; no torch, so that data tasks start quickly."""

from typing import Annotated

from dsray.base import one_of
from dsray.data.samplers.balanced import Balanced, BalancedConfig
from dsray.data.samplers.sampler import Sampler, SamplerConfig
from dsray.data.samplers.shuffled import Shuffled, ShuffledConfig

AnySampler = Annotated[SamplerConfig, one_of(ShuffledConfig, BalancedConfig)]

__all__ = ["AnySampler", "Balanced", "BalancedConfig", "Sampler", "SamplerConfig", "Shuffled", "ShuffledConfig"]
