"""Ctrl-C and SIGTERM end a process the same way, also where a library swallows the exception that says so."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_heard = False


def end_on_sigterm() -> None:
    """From now on SIGTERM interrupts as Ctrl-C does, and neither is lost; a signal that is ignored stays so.

    Only the main thread of a process hears signals; in another this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise the KeyboardInterrupt of a signal that came and was swallowed.

    Some C code drops whatever is raised while it runs (pyarrow, as it imports pandas): long work asks between its parts.
    """
    if _heard:
        forget()
        raise KeyboardInterrupt


def forget() -> None:
    """A signal that came earlier has been dealt with."""
    global _heard
    _heard = False


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _heard
    _heard = True
    raise KeyboardInterrupt
