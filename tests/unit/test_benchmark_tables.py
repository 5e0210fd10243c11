"""The tables of the README are what the result files say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from squares import prepared

from benchmarks.__main__ import main
from benchmarks.harness.benchmark import NAMES
from benchmarks.harness.measuring import measure_missing
from benchmarks.harness.results import Results
from benchmarks.harness.tables import README, with_tables, write_tables
from dsray.base import RequestError

FIGURE = re.compile(r"\d[\d,.]*(?: ?%| ms\b| s\b| points\b| rows/s| of \d+ rows)")
"""As the benchmarks and the closing table write them."""


@pytest.fixture
def squares(tmp_path, monkeypatch):
    """The class, with its README and results in a folder of the test."""
    cls = prepared(tmp_path)
    monkeypatch.setitem(NAMES, "squares", "squares:Squares")
    monkeypatch.setattr("squares.Squares", cls)
    (tmp_path / "README.md").write_text("# squares\n\n<!-- table: squares -->\n<!-- end -->\n\nmore\n")
    return cls


def tables(folder: Path, **options: bool) -> list[str]:
    return write_tables(folder / "README.md", folder, **options)


def text_of(folder: Path) -> str:
    return (folder / "README.md").read_text()


def test_the_readme_is_what_the_files_say():
    assert write_tables(check=True) == [], (
        "run `python -m benchmarks table`, and first the benchmark if it became stale"
    )


def test_no_figure_of_the_readme_stands_outside_of_a_table():
    assert len(FIGURE.findall("97.4 %, 0.312 ms, 14.3 s, -0.1 points, 2,900 rows/s, 3 of 12 rows")) == 6
    outside = re.sub(r"<!-- table: \w+ -->.*?<!-- end -->", "", README.read_text(), flags=re.S)
    assert FIGURE.findall(outside) == []


def test_no_figure_before_the_last_row(squares, tmp_path):
    results = Results("squares", squares(), tmp_path / "squares.json")
    squares.interrupted_at = "d"
    with pytest.raises(KeyboardInterrupt):
        measure_missing(results)
    assert tables(tmp_path) == ["squares"]
    assert text_of(tmp_path) == (
        "# squares\n\n<!-- table: squares -->\n\n`python -m benchmarks squares`: 3 of 4 rows are measured.\n\n"
        "<!-- end -->\n\nmore\n"
    )
    squares.interrupted_at = None
    measure_missing(results)
    assert tables(tmp_path, check=True) == ["squares"]
    assert tables(tmp_path) == ["squares"]
    assert re.search(r"\| sum \| 43 \|\n\nMade by `python -m benchmarks squares` in [\d.]+ s on ", text_of(tmp_path))
    assert text_of(tmp_path).endswith("\n\n<!-- end -->\n\nmore\n")
    assert tables(tmp_path) == []


def test_stale_rows_are_not_counted(squares, tmp_path):
    measure_missing(Results("squares", squares(), tmp_path / "squares.json"))
    (tmp_path / "first.yaml").write_text("value: 5\n")
    tables(tmp_path)
    assert "1 of 4 rows are measured." in text_of(tmp_path)


def test_where_and_when_it_was_made(squares, tmp_path):
    path = tmp_path / "squares.json"
    measure_missing(Results("squares", squares(), path))
    found = json.loads(path.read_text())
    machine = {
        "cpus": 2,
        "model": "Z80",
        "vnni": True,
        "python": "3",
        "torch": "2.1",
        "ray": "2.2",
        "onnxruntime": "1.3",
    }
    found["machines"] = {"m": machine, "n": machine | {"vnni": False}}
    for row, key, seconds in zip(found["rows"], "mmmn", (60, 3, 4, 5), strict=True):
        row |= {"machine": key, "seconds": seconds, "commit": "1234567890", "dirty": key == "n"}
        row |= {"date": "2026-11-28T09:00:00+00:00"}
    path.write_text(json.dumps(found))
    tables(tmp_path)
    made = text_of(tmp_path).splitlines()[6]
    assert made == (
        "Made by `python -m benchmarks squares` in 1 min 12 s on 2 CPUs (Z80, VNNI), torch 2.1, ray 2.2, onnxruntime 1.3 "
        "and 2 CPUs (Z80, no VNNI), torch 2.1, ray 2.2, onnxruntime 1.3: commit 1234567, 1234567 with changes, "
        "28 November 2026."
    )


def test_the_command_compares_and_writes(squares, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.__main__.write_tables", lambda check: tables(tmp_path, check=check))
    before = text_of(tmp_path)
    assert main(["table", "--check"]) == 1
    assert "table squares differs from its result file; run python -m benchmarks table" in capsys.readouterr().err
    assert text_of(tmp_path) == before
    assert main(["table"]) == 0
    assert main(["table", "--check"]) == 0
    (tmp_path / "README.md").write_text(text_of(tmp_path).replace("0 of 4", "4 of 4"))
    assert main(["table", "--check"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- table: chian -->\n<!-- end -->\n", "there is no benchmark 'chian'; did you mean 'chain'"),
        ("<!-- table: chain -->\n", "<!-- table: chain --> has no other half"),
        ("<!-- table: chain -->\n<!-- table: damage -->\n<!-- end -->\n", "<!-- table: chain --> has no other half"),
        ("<!-- end -->\n<!-- table: chain -->\n", "<!-- end --> has no other half"),
    ],
)
def test_borders_that_do_not_pair(text, said):
    with pytest.raises(RequestError, match=said):
        with_tables(text, lambda name: "")
