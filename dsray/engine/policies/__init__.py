"""Policies: validation lines of a stage -> decision. Pure functions; the loop acts."""

from typing import Annotated

from dsray.base import one_of
from dsray.engine.policies.plateau import PlateauConfig
from dsray.engine.policies.policy import CONTINUE, Decision, PolicyConfig
from dsray.engine.policies.reach import ReachConfig
from dsray.engine.policies.reduce_rate import ReduceRateConfig

AnyPolicy = Annotated[PolicyConfig, one_of(PlateauConfig, ReachConfig, ReduceRateConfig)]

__all__ = ["CONTINUE", "AnyPolicy", "Decision", "PlateauConfig", "PolicyConfig", "ReachConfig", "ReduceRateConfig"]
