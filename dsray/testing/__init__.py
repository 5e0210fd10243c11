"""The promises of plug-ins, for their authors: `check_attack(MyAttackConfig())` raises AssertionError where one is broken."""

from dsray.testing.attacks import check_attack
from dsray.testing.encoders import check_encoder
from dsray.testing.operations import check_operation
from dsray.testing.schedules import check_schedule
from dsray.testing.settings import check_round_trip

__all__ = [
    "check_attack",
    "check_encoder",
    "check_operation",
    "check_round_trip",
    "check_schedule",
]
