"""Kinds of target, each a file here and a name in the two unions below. No torch is loaded with them."""

from typing import Annotated, get_args

from dsray.base import one_of
from dsray.targets.abstain import Abstain, WorkingPoint
from dsray.targets.classes import ClassesSpec, ClassesTarget
from dsray.targets.labels import LabelsSpec, LabelsTarget
from dsray.targets.number import NumberSpec, NumberTarget
from dsray.targets.target import TargetConfig, TargetSpec, Wording

AnyTarget = Annotated[TargetConfig, one_of(ClassesTarget, LabelsTarget, NumberTarget, default="classes")]
"""What `data.target` may name."""
AnyTargetSpec = Annotated[TargetSpec, one_of(ClassesSpec, LabelsSpec, NumberSpec)]
"""What a schema may hold."""
TARGETS: one_of = get_args(AnyTarget)[1]
TARGET_SPECS: one_of = get_args(AnyTargetSpec)[1]

__all__ = [
    "TARGETS",
    "TARGET_SPECS",
    "Abstain",
    "AnyTarget",
    "AnyTargetSpec",
    "ClassesSpec",
    "ClassesTarget",
    "LabelsSpec",
    "LabelsTarget",
    "NumberSpec",
    "NumberTarget",
    "TargetConfig",
    "TargetSpec",
    "Wording",
    "WorkingPoint",
]
