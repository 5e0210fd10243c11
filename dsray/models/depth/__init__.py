"""Depth policies; a new one is one file and one name in `AnyDepth`."""

from typing import Annotated

from dsray.base import one_of
from dsray.models.depth.base import Depth, DepthConfig
from dsray.models.depth.early_exit import EarlyExitConfig
from dsray.models.depth.full import FullConfig

AnyDepth = Annotated[DepthConfig, one_of(FullConfig, EarlyExitConfig)]

__all__ = ["AnyDepth", "Depth", "DepthConfig", "EarlyExitConfig", "FullConfig"]
