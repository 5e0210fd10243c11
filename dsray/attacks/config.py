"""AttackConfig: the base of every attack's section in an experiment file."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Protocol

from dsray.attacks.threats import Threat
from dsray.base import Plugin, RequestError
from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Classifier, RowLoss


class Attack(Protocol):
    """Proposes an adversarial batch. `dsray.attacks.perturb` projects it to what the threat allows, and checks it.

    threat: reads and writes what may move, and knows ball and range. loss: what to climb, the attack's own where None;
    it may close over the rows of this batch in their order. seed: of the attack's randomness, which belongs to (seed,
    row, epoch). stop_early: a row that the model gets wrong needs no better proposal; only given with `loss=None`.
    """

    def __call__(
        self,
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        loss: RowLoss | None,
        *,
        seed: int,
        stop_early: bool,
    ) -> Batch: ...


class AttackConfig(Plugin):
    """Base of all attacks. `name` says all that matters of the settings, since records show nothing else."""

    @property
    def name(self) -> str:
        """What records call this attack: "pgd-20"."""
        return self.kind

    @property
    def starts_clean(self) -> bool:
        """Whether the first gradient is taken at the clean row, where a divergence from its answer has none."""
        return False

    def in_training(self, likelihood: Likelihood) -> RowLoss | None:
        """What it climbs when a model of this likelihood is trained under it, None for what it climbs to judge."""
        return None

    def build(self) -> Attack:
        """The attack, to be run by `dsray.attacks.perturb`."""
        raise NotImplementedError


def check_call(attack: Attack, field: str = "attack") -> None:
    """A RequestError that names `field` unless the attack can be called as `Attack` says."""
    try:
        taken = inspect.signature(attack)
    except (TypeError, ValueError):  # Python cannot tell
        return
    try:
        taken.bind(*"mbtel", seed=0, stop_early=False)
    except TypeError:
        raise RequestError(
            f"{field}: {attack_name(attack)} takes {taken}; it is called with (model, batch, threat, epsilon, loss, *, seed, "
            "stop_early)"
        ) from None


def attack_name(attack: Attack) -> str:
    """What sentences call an attack: a function by its own name, anything else by its class."""
    return str(getattr(attack, "__name__", type(attack).__name__))


def check_attacks(attacks: Sequence[AttackConfig]) -> None:
    """A ValueError unless `attacks` can judge a model together: at least one, and no name twice."""
    names = [config.name for config in attacks]
    if not names:
        raise ValueError("attacks: are empty; give at least one, e.g. pgd")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"attacks: '{twice}' is listed twice; name each attack once")
