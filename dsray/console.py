"""The console of the command line."""

from __future__ import annotations

import logging
import warnings

from rich.console import Console


def console() -> Console:
    """Standard output for people; warnings and log lines of libraries stay away from it."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    return Console(highlight=False)
