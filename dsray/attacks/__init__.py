"""(model, batch, epsilon) -> adversarial batch, and how much of a model's accuracy survives.

Works on any `nn.Module`; attacks move the `image` modality inside an L-inf ball.
"""

from typing import Annotated

from dsray.attacks.ball import project_linf
from dsray.attacks.checks import check_judged
from dsray.attacks.config import AttackConfig, check_attacks
from dsray.attacks.epsilon import Epsilon, check_epsilon
from dsray.attacks.fgsm import FgsmConfig
from dsray.attacks.judgement import Judgement
from dsray.attacks.judging import DEFAULT_ATTACKS, judge_batch, judge_batches, judge_curve, robust_accuracy
from dsray.attacks.losses import cross_entropy, fallen, margin, scaled_cross_entropy
from dsray.attacks.pgd import PgdConfig
from dsray.attacks.random_search import RandomSearchConfig
from dsray.attacks.runner import perturb
from dsray.base import one_of

AnyAttack = Annotated[AttackConfig, one_of(FgsmConfig, PgdConfig, RandomSearchConfig)]

__all__ = [
    "DEFAULT_ATTACKS",
    "AnyAttack",
    "AttackConfig",
    "Epsilon",
    "FgsmConfig",
    "Judgement",
    "PgdConfig",
    "RandomSearchConfig",
    "check_attacks",
    "check_epsilon",
    "check_judged",
    "cross_entropy",
    "fallen",
    "judge_batch",
    "judge_batches",
    "judge_curve",
    "margin",
    "perturb",
    "project_linf",
    "robust_accuracy",
    "scaled_cross_entropy",
]
