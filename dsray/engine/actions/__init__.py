"""Actions: what happens at the border of a stage, or every so many steps of it."""

from typing import Annotated

from dsray.base import one_of
from dsray.engine.actions.action import ActionConfig, Border
from dsray.engine.actions.average import AverageConfig
from dsray.engine.actions.consolidate import ConsolidateConfig
from dsray.engine.actions.measure_tasks import MeasureTasksConfig
from dsray.engine.actions.remember import RememberConfig

AnyAction = Annotated[ActionConfig, one_of(AverageConfig, ConsolidateConfig, MeasureTasksConfig, RememberConfig)]

__all__ = [
    "ActionConfig",
    "AnyAction",
    "AverageConfig",
    "Border",
    "ConsolidateConfig",
    "MeasureTasksConfig",
    "RememberConfig",
]
