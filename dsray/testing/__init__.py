"""The promises of plug-ins, for their authors: `check_attack(MyAttackConfig())` raises AssertionError where one is broken.

A file for each kind. Every check begins with `check_round_trip`.
"""

from dsray.testing.actions import check_action
from dsray.testing.attacks import check_attack
from dsray.testing.depth import check_depth
from dsray.testing.encoders import check_encoder
from dsray.testing.heads import check_head
from dsray.testing.inputs import check_input, check_spec
from dsray.testing.likelihoods import check_likelihood
from dsray.testing.models import check_model
from dsray.testing.operations import check_operation
from dsray.testing.optimizers import check_optimizer
from dsray.testing.policies import check_policy
from dsray.testing.samplers import check_sampler
from dsray.testing.schedules import check_schedule
from dsray.testing.settings import check_round_trip
from dsray.testing.sources import check_source
from dsray.testing.spaces import check_space
from dsray.testing.targets import check_target, check_target_spec
from dsray.testing.terms import check_term
from dsray.testing.threats import check_threat
from dsray.testing.views import check_view

__all__ = [
    "check_action",
    "check_attack",
    "check_depth",
    "check_encoder",
    "check_head",
    "check_input",
    "check_likelihood",
    "check_model",
    "check_operation",
    "check_optimizer",
    "check_policy",
    "check_round_trip",
    "check_sampler",
    "check_schedule",
    "check_source",
    "check_space",
    "check_spec",
    "check_target",
    "check_target_spec",
    "check_term",
    "check_threat",
    "check_view",
]
