"""Heads; a new one is one file and one name in `AnyHead`."""

from typing import Annotated

from dsray.base import one_of
from dsray.models.heads.base import HeadConfig
from dsray.models.heads.classification import ClassificationConfig, ClassificationHead

AnyHead = Annotated[HeadConfig, one_of(ClassificationConfig)]

__all__ = ["AnyHead", "ClassificationConfig", "ClassificationHead", "HeadConfig"]
