"""A fixed sample of damage: nothing of it is read as whole, nothing ends in a traceback, no figure is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.damage import Damages, attempt, draw, outcome_of
from benchmarks.readings import READINGS, make_whole
from dsray.base import RequestError
from dsray.base.sums import write_sums
from dsray.record import Record

TRIES = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_whole(tmp_path_factory.mktemp("damage"))


def test_sixty_damages(whole):
    rows = [attempt(draw(number, whole), whole) for number in range(TRIES)]
    found = Damages().summary({str(row["number"]): row for row in rows})
    wrong = [row for row in rows if row["outcome"] not in ("refused", "noticed")]
    assert (found["tried"], wrong) == (TRIES, [])
    assert {(row["kind"], row["how"]) for row in rows} == {
        (kind, how) for kind in READINGS for how in ("flip", "cut", "zeros")
    }
    assert all(row["said"] and "\n" not in row["said"] for row in rows)


@pytest.mark.parametrize("how", ["flip", "cut", "zeros"])
def test_each_line_of_a_history(whole, how):
    """Damage in the middle of a line, at its end, and across lines is noticed, and the figures stay."""
    content = (whole.root / "run" / "history.jsonl").read_bytes()
    ends = [i for i, byte in enumerate(content) if byte == ord("\n")]
    lengths = {"flip": 1, "cut": 0, "zeros": 300}
    damage = draw(4, whole)
    for at in [0, *ends[::3], *(end + 1 for end in ends[:-1:3]), ends[-1], len(content) // 2]:
        place = type(damage)(0, "record", "run/history.jsonl", how, at, lengths[how])
        row = attempt(place, whole)
        lost = how != "cut" or at < ends[-1]  # the last byte of all ends a line that is whole without it
        assert (row["outcome"], "damaged lines" in row["said"]) == (
            ("noticed", True) if lost else ("harmless", False)
        ), row


def test_what_is_whole_is_no_damage(whole, tmp_path):
    for kind, reading in READINGS.items():
        copy = Path(shutil.copytree(whole.root, tmp_path / kind))
        assert outcome_of(reading.read, copy, whole.read[kind]) == ("harmless", "")


def test_the_sample_would_see_a_wrong_figure(whole, tmp_path):
    """Changes that carry right digests are such as a missing check would let through."""
    copy = Path(shutil.copytree(whole.root, tmp_path / "copy"))
    Record(copy / "run").update_metrics({"test_accuracy": 0.99})
    assert outcome_of(READINGS["record"].read, copy, whole.read["record"])[0] == "wrong figures"
    training = copy / "run" / "model" / "training.json"
    training.write_text(training.read_text().replace('"steps": 6', '"steps": 7'))
    (copy / "run" / "model" / "sums.json").unlink()
    write_sums(copy / "run" / "model")
    assert outcome_of(READINGS["model"].read, copy, whole.read["model"])[0] == "read as whole"


def test_the_sample_would_see_a_traceback(whole, tmp_path):
    def fails(error):
        def read(root):
            raise error

        return outcome_of(read, tmp_path, whole.read["model"])

    assert fails(KeyError("steps")) == ("traceback", "KeyError: 'steps'")
    assert fails(RequestError("two\nlines"))[0] == "traceback"
    assert fails(RequestError("one line")) == ("refused", "one line")


def test_the_table_counts_by_kind(whole):
    """One row of each kind, the first made to look as if it were read as whole."""
    rows = {str(number): attempt(draw(number, whole), whole) for number in range(5)}
    rows["0"] |= {"outcome": "read as whole"}
    lines = Damages().table(rows).splitlines()
    assert lines[0] == "| what came of it | checkpoint | model | cache | artefact | record |"
    assert "| read as whole | 1 | 0 | 0 | 0 | 0 |" in lines
    assert sum(int(cell) for line in lines[2:8] for cell in line.split("|")[2:-1]) == 5
