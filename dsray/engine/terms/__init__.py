"""Losses. A term maps the context of a step to a loss per row; a stage sums its weighted terms."""

from typing import Annotated

from dsray.base import one_of
from dsray.engine.terms.ewc import EwcConfig
from dsray.engine.terms.madry import MadryConfig
from dsray.engine.terms.supervised import SupervisedConfig, supervised
from dsray.engine.terms.task import TaskConfig
from dsray.engine.terms.term import TermConfig
from dsray.engine.terms.trades import TradesConfig

AnyTerm = Annotated[TermConfig, one_of(TaskConfig, MadryConfig, TradesConfig, EwcConfig)]

__all__ = [
    "AnyTerm",
    "EwcConfig",
    "MadryConfig",
    "SupervisedConfig",
    "TaskConfig",
    "TermConfig",
    "TradesConfig",
    "supervised",
]
