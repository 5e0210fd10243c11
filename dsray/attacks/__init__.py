"""(model, batch, threat, epsilon) -> adversarial batch, and how much of a model's accuracy survives.

Works on any `nn.Module`; what attacks may move, and how far, is the threat's to say.
"""

from typing import Annotated

from dsray.attacks.checks import check_judged
from dsray.attacks.config import Attack, AttackConfig, check_attacks, check_call
from dsray.attacks.fgsm import FgsmConfig
from dsray.attacks.judgement import Judgement
from dsray.attacks.judging import DEFAULT_ATTACKS, judge_batch, judge_batches, judge_curve, robust_accuracy
from dsray.attacks.losses import cross_entropy, fallen, margin, scaled_cross_entropy
from dsray.attacks.pgd import PgdConfig
from dsray.attacks.random_search import RandomSearchConfig
from dsray.attacks.runner import perturb
from dsray.attacks.threats import AnyThreat, L2Config, LinfConfig, Radius, Threat, ThreatConfig
from dsray.base import one_of

AnyAttack = Annotated[AttackConfig, one_of(FgsmConfig, PgdConfig, RandomSearchConfig)]

__all__ = [
    "DEFAULT_ATTACKS",
    "AnyAttack",
    "AnyThreat",
    "Attack",
    "AttackConfig",
    "FgsmConfig",
    "Judgement",
    "L2Config",
    "LinfConfig",
    "PgdConfig",
    "Radius",
    "RandomSearchConfig",
    "Threat",
    "ThreatConfig",
    "check_attacks",
    "check_call",
    "check_judged",
    "cross_entropy",
    "fallen",
    "judge_batch",
    "judge_batches",
    "judge_curve",
    "margin",
    "perturb",
    "robust_accuracy",
    "scaled_cross_entropy",
]
