"""What policies may watch: the figures of a validation line."""

from __future__ import annotations

from collections.abc import Sequence

from dsray.base import nearest
from dsray.engine.policies.policy import PolicyConfig

METRIC = (
    "figure of the validations, e.g. accuracy, balanced_accuracy, loss; null for the one that the target calls its "
    "own, which is accuracy for classes, or balanced_accuracy where those of the stage are uneven"
)
"""How the config fields that name one are described."""


def check_watched(policies: Sequence[PolicyConfig], known: Sequence[str]) -> None:
    """A ValueError that gives the nearest name where a policy watches a figure that the validations do not hold.

    known: `TargetSpec.watched` of the experiment's kind of target.
    """
    for i, policy in enumerate(policies):
        if policy.watches is not None and policy.watches not in known:
            raise ValueError(
                f"train.policies.{i}.metric: must be a figure of the validations; got '{policy.watches}'; "
                f"{nearest(policy.watches, list(known))}"
            )
