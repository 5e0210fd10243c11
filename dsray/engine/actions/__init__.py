"""Actions: what happens at the border of a stage."""

from typing import Annotated

from dsray.base import one_of
from dsray.engine.actions.action import ActionConfig, Border
from dsray.engine.actions.consolidate import ConsolidateConfig
from dsray.engine.actions.measure_tasks import MeasureTasksConfig
from dsray.engine.actions.remember import RememberConfig

AnyAction = Annotated[ActionConfig, one_of(ConsolidateConfig, MeasureTasksConfig, RememberConfig)]

__all__ = [
    "ActionConfig",
    "AnyAction",
    "Border",
    "ConsolidateConfig",
    "MeasureTasksConfig",
    "RememberConfig",
]
