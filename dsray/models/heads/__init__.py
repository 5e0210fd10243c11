"""Heads; a new one is one file and one name in `AnyHead`."""

from typing import Annotated

from dsray.base import one_of
from dsray.models.heads.base import HeadConfig
from dsray.models.heads.linear import LinearHead, LinearHeadConfig

FORMER = {"classification": "linear"}
"""What experiments, records and models of 0.3 and before call a head, and its name."""
AnyHead = Annotated[HeadConfig, one_of(LinearHeadConfig, former=FORMER)]

__all__ = ["FORMER", "AnyHead", "HeadConfig", "LinearHead", "LinearHeadConfig"]
