"""The driver follows a history that a resumed worker cuts: it hands on whole lines, whatever the moment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dsray.runner.files import TrainingFiles

pytestmark = pytest.mark.ray


def lines(first: int, last: int, seconds: float = 1.5) -> str:
    """As a history: a line written again differs in its times, and so in length."""
    return "".join(json.dumps({"kind": "step", "step": i, "time_s": seconds}) + "\n" for i in range(first, last))


class Seen:
    def __init__(self):
        self.seen, self.begun, self.trainings = [], [], set()

    def begin(self, training, step):
        self.begun.append(step)
        self.trainings.add(training)

    def line(self, training, line):
        self.seen.append(line["step"])


def replace(path: Path, text: str) -> None:
    aside = path.with_suffix(".aside")
    aside.write_text(text)
    os.replace(aside, path)


@pytest.mark.parametrize("kept", [0, 3, 9], ids="keeps {}".format)
def test_a_file_that_is_cut_while_it_is_opened(tmp_path, monkeypatch, kept):
    from dsray.runtime.follower import Follower

    files, watch = TrainingFiles(tmp_path), Seen()
    path = files.history
    follower = Follower(files, watch)
    path.write_text(lines(0, 10))
    follower.poll()
    opened = Path.open

    def cut_after(self, *arguments, **options):
        file = opened(self, *arguments, **options)
        if self == path and arguments == ("rb",):
            monkeypatch.setattr(Path, "open", opened)
            replace(path, lines(0, kept))
        return file

    monkeypatch.setattr(Path, "open", cut_after)
    follower.poll()
    with path.open("a") as file:
        file.write(lines(kept, 20, 12.125))
    follower.poll()
    assert watch.seen == [*range(10), *range(kept, 20)]
    assert watch.begun == [0, max(0, kept - 1)]


def test_what_an_earlier_stretch_has_shown_is_not_handed_on_again(tmp_path):
    from dsray.runtime.follower import Follower

    files, watch = TrainingFiles(tmp_path, "-undefended"), Seen()
    files.history.write_text(lines(0, 10))
    follower = Follower(files, watch)
    follower.poll()
    assert (watch.begun, watch.seen) == ([9], [])
    replace(files.history, lines(0, 10))  # as the worker does that resumes
    with files.history.open("a") as file:
        file.write(lines(10, 12) + '{"kind": "step", "st\xff\n' + lines(12, 13))
    follower.poll()
    assert watch.seen == [10, 11, 12]
    assert set(watch.begun) == {9} and watch.trainings == {"undefended"}
