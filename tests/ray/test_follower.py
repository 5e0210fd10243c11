"""The driver follows a history that a resumed worker cuts: it hands on whole lines, whatever the moment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray


def lines(first: int, last: int, seconds: float = 1.5) -> str:
    """As a history: a line written again differs in its times, and so in length."""
    return "".join(json.dumps({"step": i, "time_s": seconds}) + "\n" for i in range(first, last))


def replace(path: Path, text: str) -> None:
    aside = path.with_suffix(".aside")
    aside.write_text(text)
    os.replace(aside, path)


@pytest.mark.parametrize("kept", [0, 3, 9], ids="keeps {}".format)
def test_a_file_that_is_cut_while_it_is_opened(tmp_path, monkeypatch, kept):
    from dsray.runtime.placement import Follower

    path, seen = tmp_path / "history.jsonl", []
    path.write_text(lines(0, 10))
    follower = Follower(path, lambda line: seen.append(line["step"]))
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
    assert seen == [*range(10), *range(20)]
