"""The one process that writes a record: it holds the lock, leaves an honest state, and can say how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from dsray.base import RequestError, RunFailure, interruption
from dsray.base.disk import REMEDIES, in_words, refusal
from dsray.record import Record
from dsray.report.html import write_report
from dsray.runner.files import TrainingFiles, reached

STEPS = ("train", "evaluate", "attack", "compress", "answer")
"""In the order in which a run does them."""
_going_on: list[str] = []


def going_on() -> str | None:
    """The line that goes on with what this process was at work on when it was interrupted, if it was."""
    return _going_on[0] if _going_on else None


def resume_command(record_path: Path, command: list[str]) -> list[str]:
    """The words that go on with an interrupted run or sweep."""
    words, left = [], iter(command)
    for word in left:
        if word == "--out":
            next(left, None)
        elif word != "--resume" and not word.startswith("--out="):
            words.append(word)
    return [*words, "--out", str(record_path), "--resume"]


@contextmanager
def writing(record: Record, command: list[str], console: Console) -> Iterator[None]:
    """For a verb that adds to a record: nobody else writes it meanwhile. command: the words to repeat the verb."""
    interruption.forget()
    _going_on[:] = [shlex.join(command)] if command else []
    try:
        record.hold()
        if not record.certain:
            console.print(f"{record.path}: no locks on this file system; let no other process write it meanwhile")
        yield
        _going_on.clear()  # not after an error: the command line tells it
    except Exception as error:  # raised again: as it is, or as the sentence of a disk that takes no more
        if (failure := _told(error, record)) is error:
            raise
        raise failure from error
    finally:
        record.release()


@contextmanager
def running(
    record: Record, command: list[str], console: Console, *, begun: Callable[[], bool] | None = None
) -> Iterator[None]:
    """For the making of a record: whatever ends it, the record says so.

    A signal leaves it interrupted, an exception failed, with a report of what was finished; a wrong request that is
    noticed before anything was done removes a new record and leaves another in the state that it was in. begun: whether
    there is something to keep; None for a record that stood before. command: the words as typed.
    """
    with writing(record, resume_command(record.path, command) if command else [], console):
        before = record.status
        try:
            record.resume()
            yield
            record.finish()
            write_report(record)
        except KeyboardInterrupt:
            with suppress(OSError):  # a record that says "running" and that nobody holds reads as interrupted too
                record.interrupt()
            raise
        except BaseException as error:
            failure = _told(error, record)
            if isinstance(error, RequestError) and begun is not None and not begun():
                record.discard()
            elif isinstance(error, RequestError) and begun is None and record.status["steps"] == before["steps"]:
                record.set_back(before)
            else:
                with suppress(Exception):  # what was finished is shown; the error itself is told by the caller
                    record.fail(failure)
                    write_report(record)
            if failure is error:
                raise
            raise failure from error


def _told(error: BaseException, record: Record) -> BaseException:
    """A disk's refusal as one sentence that says what is kept and how to go on; any other error as it is."""
    found = refusal(error)
    if found is None:
        return error
    line = going_on()
    then = f"go on with: {line}" if line else "resume it"
    return RunFailure(f"{in_words(found, record.path)}; {_kept(record)}; {REMEDIES[found.errno or 0]}, then {then}")


def _kept(record: Record) -> str:
    """What a run that cannot write has in its record."""
    steps = record.status["steps"]
    done = [name for name in STEPS if steps.get(name) == "done"]
    if "train" not in done and (newest := reached(TrainingFiles(record.path))):
        done.append(f"the training up to step {newest:,}")
    return f"kept: {', '.join(done)}" if done else "nothing was finished yet"
