"""Settings: the promise that every config makes."""

from __future__ import annotations

import json

from dsray.base import Plugin


def check_round_trip(config: Plugin) -> None:
    """A config survives its own JSON."""
    text = json.dumps(config.model_dump(mode="json"))
    assert type(config).model_validate(json.loads(text)) == config, "the config changes in its own JSON"
