"""What an attacker may change: the tensors it moves, where it starts, ball and range, a radius and its units."""

from typing import Annotated

from dsray.attacks.threats.l2 import L2Config
from dsray.attacks.threats.linf import LinfConfig
from dsray.attacks.threats.radius import Radius
from dsray.attacks.threats.threat import Movable, Threat, ThreatConfig
from dsray.base import one_of

AnyThreat = Annotated[ThreatConfig, one_of(LinfConfig, L2Config)]

__all__ = ["AnyThreat", "L2Config", "LinfConfig", "Movable", "Radius", "Threat", "ThreatConfig"]
