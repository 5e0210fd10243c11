"""A history: a damaged line costs that line, and is counted."""

from __future__ import annotations

import json

import pytest

from dsray.base.lines import LineReader, read_lines, written_line
from dsray.engine import rewind_history
from dsray.record import Record

LINES = [{"kind": "step", "step": i, "loss": 1 / (i + 1), "stage": "clean"} for i in range(6)]


def test_a_line_is_json_with_a_checksum():
    text = written_line(LINES[2])
    assert text.endswith("}\n") and text.count("\n") == 1
    assert {k: v for k, v in json.loads(text).items() if k != "crc"} == LINES[2]
    assert LineReader()(text[:-1].encode()) == LINES[2]


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_costs_its_line_and_no_other(bit):
    """There is no byte, the lines' ends included, whose damage changes what is read."""
    texts = [written_line(line).encode() for line in LINES[:3]]
    ends = [len(b"".join(texts[: i + 1])) - 1 for i in range(3)]
    for position in range(ends[-1] + 1):
        content = bytearray(b"".join(texts))
        content[position] ^= 1 << bit
        found, damaged = read_lines(bytes(content))
        hit = next(i for i, end in enumerate(ends) if position <= end)
        lost = {hit, hit + 1} if position == ends[hit] else {hit}  # without its end, it and the next are one
        assert found == [line for i, line in enumerate(LINES[:3]) if i not in lost]
        assert 1 <= damaged <= 2  # a byte that became a line's end makes two


def test_a_history_of_an_older_version_is_read_and_gets_checksums_when_it_is_gone_on_with(tmp_path):
    lines = [{"kind": "step", "step": 1}, {"kind": "checkpoint", "step": 1}, {"kind": "step", "step": 2}]
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_lines(path.read_bytes()) == (lines, 0)
    rewind_history(path, 1)
    assert read_lines(path.read_bytes()) == (lines[:2], 0)
    with path.open("a") as file:
        file.write(json.dumps(lines[2]) + "\n")
    assert read_lines(path.read_bytes()) == (lines[:2], 1)


def test_a_history_that_lost_its_end_is_counted(tmp_path):
    record = Record(tmp_path)
    record.write_json("model/training.json", {"steps": 2})
    lines = [{"kind": "step", "step": 2}, {"kind": "checkpoint", "step": 2}, {"kind": "damaged", "step": 2}]
    for left, damaged in ((3, 0), (2, 0), (1, 1), (0, 1)):
        (tmp_path / "history.jsonl").write_text("".join(map(written_line, lines[:left])))
        assert record.damaged_lines() == damaged
    (tmp_path / "history.jsonl").unlink()
    assert record.damaged_lines() == 1
    assert record.damaged_lines("history-undefended.jsonl") == 0


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[1]", b"3", b"{", b"\0\0\0", b"[" * 100_000])
def test_a_line_of_anything_is_no_error(text):
    reader = LineReader()
    assert (reader(text), reader.damaged) == (None, 1)


def write(path, damaged=None):
    lines = [line for i in range(1, 7) for line in ({"kind": "step", "step": i}, {"kind": "checkpoint", "step": i})]
    texts = [written_line(line) for line in lines]
    if damaged is not None:
        texts[damaged] = texts[damaged].replace('"step"', '"stop"')
    path.write_text("".join(texts) + '{"kind": "st')


@pytest.mark.parametrize(
    ("damaged", "left"),
    [
        (None, ["step 1", "checkpoint 1", "step 2", "checkpoint 2", "step 3", "checkpoint 3"]),
        (0, ["checkpoint 1", "step 2", "checkpoint 2", "step 3", "checkpoint 3"]),
        (5, ["step 1", "checkpoint 1", "step 2", "checkpoint 2", "step 3"]),
        (6, ["step 1", "checkpoint 1", "step 2", "checkpoint 2", "step 3", "checkpoint 3"]),
    ],
)
def test_a_resumed_run_keeps_all_sound_lines_before_its_checkpoint(tmp_path, damaged, left):
    record = Record(tmp_path)
    write(tmp_path / "history.jsonl", damaged)
    rewind_history(tmp_path / "history.jsonl", 3)
    assert [f"{line['kind']} {line['step']}" for line in record.history()] == left
    assert record.damaged_lines() == (damaged is not None and damaged < 6)
    assert [path.name for path in tmp_path.iterdir()] == ["history.jsonl"]


def test_the_report_says_what_was_left_out(tmp_path):
    from dsray.report.html import write_report

    record = Record.create(tmp_path, "x", "name: x\n", {})
    texts = [written_line({**line, "total": 6}) for line in LINES]
    texts[3] = texts[3].replace("loss", "lost")
    (record.path / "history.jsonl").write_text("".join(texts))
    assert "At least 1 line of the history is damaged, and left out." in write_report(record).read_text()
