"""Settings: the promise that every config makes."""

from __future__ import annotations

import json

from dsray.base import Plugin


def check_round_trip(config: Plugin) -> None:
    """A config survives its own JSON: it is written, read and equal to itself."""
    try:
        text = json.dumps(config.model_dump(mode="json"))
        again = type(config).model_validate(json.loads(text))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the config cannot be written as JSON and read again ({error})") from error
    assert again == config, "the config changes in its own JSON"
