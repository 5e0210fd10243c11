"""One verb of dsray as a job: its record outside the package folder, and an end by signal that can be resumed."""

import _thread
import os
import signal
import sys
import threading
from typing import NoReturn

from dsray.cli import main
from jobs.places import with_record_outside


def start(verb: str) -> NoReturn:
    """`dsray VERB` with the arguments of this script; its exit status is the verb's."""
    words = [verb, *with_record_outside(sys.argv[1:])]
    sys.argv = ["dsray", *words]  # what the record and the line about going on quote
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # logs are followed
    _interrupt_on_sigterm()
    main(words)


def _interrupt_on_sigterm() -> None:
    """`ray job stop` sends SIGTERM: treat it as Ctrl-C, which marks the record and says how to go on.

    `ray.init` puts a handler of its own in place, so in a job a thread waits for the signal and all others block it.
    """
    if not os.environ.get("RAY_ADDRESS"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        _thread.interrupt_main(signal.SIGINT)

    threading.Thread(target=wait, daemon=True, name="sigterm").start()
