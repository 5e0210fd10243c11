"""Patterns over parameter names: `trunk.blocks.0.*`, `head*`; the first that matches wins."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from dsray.base import RequestError

Pattern = str


def first_match(patterns: Sequence[Pattern], names: Iterable[str], field: str) -> dict[str, int]:
    """Name -> index of the first pattern that matches it; names without a match are left out.

    A pattern that matches no name at all is a RequestError naming `field`.
    """
    names = list(names)
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            raise RequestError(f"{field}: pattern '{pattern}' matches no parameter; {_nearest(pattern, names)}")
    found = {name: next((i for i, p in enumerate(patterns) if matches(p, name)), None) for name in names}
    return {name: i for name, i in found.items() if i is not None}


def _nearest(pattern: Pattern, names: Iterable[str]) -> str:
    """The end of an error sentence: the closest modules and parameters, or the parts that the model consists of."""
    words = [name.split(".") for name in names]
    known = list(dict.fromkeys(".".join(w[:depth]) for w in words for depth in range(1, len(w) + 1)))
    close = difflib.get_close_matches(pattern.removesuffix("*").rstrip("."), known, n=3, cutoff=0.55)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"the model's parts are {', '.join(dict.fromkeys(w[0] for w in words))}"


def matches(pattern: Pattern, name: str) -> bool:
    """A pattern names a parameter when it matches it as a glob or names a module above it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, pattern + ".*")


def trainable_names(patterns: Sequence[Pattern], names: Iterable[str], field: str = "trainable") -> set[str]:
    """The parameters that learn under `patterns`."""
    return set(first_match(patterns, names, field))
