"""The figures of a record's kind of target: what they are called, in which unit, and which way is better.

The run notes them in its manifest, so that who reads a record needs no code of the target.
"""

from __future__ import annotations

from dsray.base.figures import Figure, listed
from dsray.record.record import Record
from dsray.record.words import plain_name

OF_CLASSES = ("balanced_accuracy", "macro_f1")
"""Those of records that do not say, which are of classes."""


def figures_of(record: Record) -> tuple[Figure, ...]:
    """The lines for the figures of its kind of target, in the order in which they are shown."""
    noted = (record.manifest.get("data") or {}).get("figures")
    if noted is None:
        return tuple(line for name in OF_CLASSES if (line := listed(name)) is not None)
    return tuple(Figure(**line) for line in noted)


def called(name: str, own: tuple[Figure, ...]) -> str:
    """What a table of figures calls one; of a figure that is not dsray's it says which way is better."""
    line = None if listed(name) else listed(name, own)
    if line is None:
        return plain_name(name)
    return line.label if line.better is None else f"{line.label} ({line.better} is better)"
