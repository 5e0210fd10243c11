"""The two kinds of error that end as one sentence, and the words of such sentences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


class DsrayError(Exception):
    """Base of the errors that are reported as one sentence, without a traceback."""

    exit_code = 1


class RequestError(DsrayError):
    """The request was wrong: which field, what was wrong, what would be right. Exit status 2."""

    exit_code = 2


class RunFailure(DsrayError):
    """A correct request failed while running; what was finished is kept. Exit status 1."""

    exit_code = 1


def nearest(word: str, valid: list[str]) -> str:
    """The end of an error sentence: the closest valid name, or all of them."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.55)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(valid)}"


def a(noun: str) -> str:
    """`an image`, `a photo`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def explain(error: ValidationError, root: str) -> str:
    """One sentence for the first fault in `error`: dotted path, value, and what would be right."""
    faults = error.errors()
    first = next((f for f in faults if f["type"] == "unknown_key"), faults[0])
    loc = [str(part) for part in first["loc"]]
    if first["type"] == "unknown_key":
        return f"{'.'.join([*loc, first['ctx']['key']])}: unknown key; {first['ctx']['hint']}"
    path = ".".join(loc) or root
    if first["type"] == "missing":
        return f"{path}: is required"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "model_type":  # pydantic would speak of a Python class
        message = "needs keys with values, as in {key: value}"
    value = first["input"]
    said = "; got " in message or isinstance(value, dict | list | tuple | BaseModel)
    shown = "" if said else f"; got {value!r}"
    if re.match(r"[a-z_]\w*(\.\w+)*: ", message):  # a check across fields that names the one at fault itself
        return f"{'.'.join([*loc, message])}{shown}"
    return f"{path}: {message[:1].lower()}{message[1:]}{shown}"


def relocated(
    error: ValidationError, place: Callable[[tuple[int | str, ...]], tuple[int | str, ...]]
) -> ValidationError:
    """The same faults at other places of the file, where people have written what a validator wrote elsewhere."""
    moved = [
        InitErrorDetails(
            type=PydanticCustomError(fault["type"], "{said}", {**fault.get("ctx", {}), "said": fault["msg"]}),
            loc=place(fault["loc"]),
            input=fault["input"],
        )
        for fault in error.errors()
    ]
    return ValidationError.from_exception_data(error.title, moved)
