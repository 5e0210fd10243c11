"""An encoder that breaks a promise is found out."""

from __future__ import annotations

import foreign
import pytest
from test_kinds import IMAGE

from dsray.models.encoders import EncoderConfig
from dsray.testing import check_encoder


@pytest.mark.parametrize(
    ("config", "promise"),
    [
        (foreign.EagerConfig(), "build does not work on the meta device"),
        (foreign.ForgetfulConfig(), "comes back from disk gives other tokens"),
        (foreign.GrowingConfig(), "does not come back from disk when it was trained .*size mismatch for .*seen"),
        (foreign.DriftingConfig(), "comes back from disk gives other tokens"),
        (foreign.ShuffledConfig(), "a buffer that is not saved other values each time"),
        (foreign.CountingConfig(), "training changed a buffer that is not saved"),
        (foreign.TunedConfig(), "pretrained changed a buffer that is not saved"),
        (foreign.WidenedConfig(), "other parameters when it is built on the meta device"),
        (foreign.CrowdedConfig(), "depend on its company"),
    ],
    ids=lambda v: getattr(v, "kind", ""),
)
def test_a_broken_encoder_is_found_out(config: EncoderConfig, promise: str):
    with pytest.raises(AssertionError, match=promise):
        check_encoder(config, IMAGE)
