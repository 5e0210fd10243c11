"""AttackConfig: the base of every attack's section in an experiment file."""

from __future__ import annotations

from collections.abc import Sequence

from dsray.base import Plugin
from dsray.base.protocols import Attack, RowLoss


class AttackConfig(Plugin):
    """Base of all attacks. `name` says all that matters of the settings, since records show nothing else."""

    @property
    def name(self) -> str:
        """What records call this attack: "pgd-20"."""
        return self.kind

    @property
    def starts_clean(self) -> bool:
        """Whether the first gradient is taken at the clean image, where a divergence from its answer has none."""
        return False

    @property
    def in_training(self) -> RowLoss | None:
        """What it climbs when a model is trained under it, None for its own loss."""
        return None

    def build(self) -> Attack:
        """The attack, to be run by `dsray.attacks.perturb`."""
        raise NotImplementedError


def check_attacks(attacks: Sequence[AttackConfig]) -> None:
    """A ValueError unless `attacks` can judge a model together: at least one, and no name twice."""
    names = [config.name for config in attacks]
    if not names:
        raise ValueError("attacks: are empty; give at least one, e.g. pgd")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"attacks: '{twice}' is listed twice; name each attack once")
