"""The console of the command line."""

from __future__ import annotations

import logging
import warnings

from rich.console import Console


def console() -> Console:
    """Standard output for people, with names as they are: `[/b]` and `:x:` mean nothing.

    Warnings and log lines of libraries stay away from it.
    """
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    return Console(highlight=False, markup=False, emoji=False)
