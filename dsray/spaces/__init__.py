"""What a sweep may draw at one dotted path; a kind is one file here and one name below."""

from typing import Annotated

from dsray.base import one_of
from dsray.spaces.choice import ChoiceSpace
from dsray.spaces.epsilon_schedule import EpsilonScheduleSpace
from dsray.spaces.layer_learning_rates import LayerRatesSpace
from dsray.spaces.number import FloatSpace, IntSpace
from dsray.spaces.space import Draw, SpaceConfig

AnySpace = Annotated[SpaceConfig, one_of(FloatSpace, IntSpace, ChoiceSpace, EpsilonScheduleSpace, LayerRatesSpace)]

__all__ = [
    "AnySpace",
    "ChoiceSpace",
    "Draw",
    "EpsilonScheduleSpace",
    "FloatSpace",
    "IntSpace",
    "LayerRatesSpace",
    "SpaceConfig",
]
