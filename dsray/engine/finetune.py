"""The section `finetune`: phases of unfreezing, each with stages of its own."""

from __future__ import annotations

from pydantic import Field

from dsray.base import Config
from dsray.optim import Pattern


class FinetuneConfig(Config):
    """Gradual unfreezing: group after group of modules joins the learning."""

    unfreeze: tuple[tuple[Pattern, ...], ...] = Field(
        (("head", "exits"), ("*",)), min_length=1, description="groups of patterns, the first learns first"
    )
