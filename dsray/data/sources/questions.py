"""The questions asked of a digit: three kinds, eight wordings each, two of which are kept for the test split."""

from __future__ import annotations

from collections.abc import Callable

SEEN = 6
"""The first six wordings of each kind occur in every split, the others in the test split only."""

WORDINGS: dict[str, tuple[str, ...]] = {
    "digit": (
        "which digit is this?",
        "what number is shown here?",
        "name the digit",
        "which number do you see?",
        "what is this digit?",
        "tell me the number shown",
        "what digit do you see here?",
        "name the number shown",
    ),
    "even": (
        "is this digit even?",
        "is the number shown even?",
        "do you see an even digit?",
        "is this number divisible by two?",
        "tell me if the digit is even",
        "an even number, yes or no?",
        "is the digit shown divisible by two?",
        "do you see an even number here?",
    ),
    "larger": (
        "is this digit larger than five?",
        "is the number shown greater than five?",
        "do you see a digit above five?",
        "is this number more than five?",
        "tell me if it is larger than five",
        "above five, yes or no?",
        "is the digit shown above five?",
        "is the number here larger than five?",
    ),
}

ANSWERS: dict[str, Callable[[int], str]] = {
    "digit": str,
    "even": lambda digit: "yes" if digit % 2 == 0 else "no",
    "larger": lambda digit: "yes" if digit > 5 else "no",
}
