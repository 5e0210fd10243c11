"""Settings that do not survive their own JSON are found out, whatever the kind."""

from __future__ import annotations

import math

import pytest
from pydantic import field_validator

from dsray.base import Plugin
from dsray.testing import check_round_trip


class Rounded(Plugin):
    kind: str = "rounded"
    share: float = 0.5

    @field_validator("share")
    @classmethod
    def _half(cls, share):
        return share / 2


class Never(Plugin):
    kind: str = "never"
    share: float = math.nan


class Opaque(Plugin):
    kind: str = "opaque"
    what: object = None


@pytest.mark.parametrize(
    ("config", "promise"),
    [
        (Rounded(), "changes in its own JSON"),
        (Never(), "changes in its own JSON"),
        (Opaque(what=object()), "cannot be written as JSON"),
    ],
)
def test_settings_that_change_are_found_out(config, promise):
    with pytest.raises(AssertionError, match=promise):
        check_round_trip(config)
