"""AttackConfig: the base of every attack's section in an experiment file."""

from __future__ import annotations

from dsray.base import Plugin
from dsray.protocols import Attack


class AttackConfig(Plugin):
    """Base of all attacks. `name` says all that matters of the settings, since records show nothing else."""

    @property
    def name(self) -> str:
        """What records call this attack: "pgd-20"."""
        return self.kind

    def build(self) -> Attack:
        """The attack, to be run by `dsray.attacks.perturb`."""
        raise NotImplementedError
