"""Rows of a benchmark: what is kept, what is measured again, what a cut run or a cut file loses."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from squares import prepared

from benchmarks.__main__ import main
from benchmarks.harness import results as module
from benchmarks.harness.benchmark import NAMES, benchmark
from benchmarks.harness.digests import digest_of_source
from benchmarks.harness.measuring import measure_missing
from benchmarks.harness.results import FIELDS, Results
from dsray.base import RequestError


@pytest.fixture
def squares(tmp_path):
    return prepared(tmp_path)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results" / "squares.json"


@pytest.fixture
def command(squares, file, monkeypatch):
    """`python -m benchmarks` of squares alone, its results in a folder of the test."""
    monkeypatch.setitem(NAMES, "squares", "squares:Squares")
    monkeypatch.setattr("squares.Squares", squares)
    monkeypatch.setattr("benchmarks.__main__.FOLDER", file.parent)
    return lambda *words: main(["squares", *words])


def measure(cls, path: Path, quick: bool = False) -> str:
    """What was said meanwhile."""
    said = io.StringIO()
    measure_missing(Results("squares", cls(quick), path), to=said)
    return said.getvalue()


def test_a_row_says_what_it_was_made_of(squares, file):
    measure(squares, file)
    found = json.loads(file.read_text())
    assert [row["key"] for row in found["rows"]] == ["a", "b", "c", "d"]
    row = found["rows"][0]
    assert set(row) == FIELDS
    assert row["figures"] == {"square": 9}
    assert found["summary"] == {"sum": 43}
    assert re.fullmatch("[0-9a-f]{40}", row["commit"])
    assert isinstance(row["dirty"], bool)
    machine = found["machines"][row["machine"]]
    assert set(machine) == {"cpus", "model", "vnni", "python", "torch", "ray", "onnxruntime"}
    assert file.read_text().count('"key"') == len([line for line in file.read_text().splitlines() if '"key"' in line])


def test_what_is_there_is_kept(squares, file):
    measure(squares, file)
    before = file.read_text()
    assert measure(squares, file) == "squares: 4 of 4 rows are there\n"
    assert squares.measured == ["a", "b", "c", "d"]
    assert file.read_text() == before


def test_a_run_that_is_cut_loses_the_row_in_progress(squares, file):
    squares.interrupted_at = "c"
    with pytest.raises(KeyboardInterrupt):
        measure(squares, file)
    found = json.loads(file.read_text())
    assert [row["key"] for row in found["rows"]] == ["a", "b"]
    assert "summary" not in found
    squares.interrupted_at = None
    said = measure(squares, file)
    assert squares.measured == ["a", "b", "c", "d"]
    assert "2 of 4 rows are there" in said
    assert re.search(r"squares: 3 of 4, c, about [\d.]+ s left", said)
    assert json.loads(file.read_text())["summary"] == {"sum": 43}


@pytest.mark.parametrize(
    ("name", "stale"), [("first.yaml", ["a", "b", "c"]), ("second.yaml", ["d"]), ("base.yaml", ["d"])]
)
def test_rows_of_another_experiment_file_are_stale(squares, file, name, stale):
    measure(squares, file)
    path = squares.folder / name
    path.write_text(path.read_text() + "# the same\n")
    assert Results("squares", squares(), file).missing == []
    path.write_text(path.read_text() + "name: other\n")
    assert Results("squares", squares(), file).missing == stale
    squares.measured.clear()
    assert f"{len(stale)} of the others are stale" in measure(squares, file)
    assert squares.measured == stale


def test_stale_rows_leave_the_file_with_the_first_new_one(squares, file):
    measure(squares, file)
    (squares.folder / "first.yaml").write_text("value: 5\n")
    squares.interrupted_at = "b"
    with pytest.raises(KeyboardInterrupt):
        measure(squares, file)
    found = json.loads(file.read_text())
    assert {row["key"]: row["figures"]["square"] for row in found["rows"]} == {"a": 25, "d": 16}
    assert "summary" not in found


def test_rows_of_another_source_are_stale(squares, file, monkeypatch):
    measure(squares, file)
    monkeypatch.setattr(module, "digest_of_source", lambda file: "another")
    assert Results("squares", squares(), file).missing == ["a", "b", "c", "d"]


def test_what_counts_as_the_source(tmp_path):
    """What measures does, in whichever file of `benchmarks`; what keeps rows or speaks of them does not."""
    folder = tmp_path / "benchmarks"
    (folder / "harness").mkdir(parents=True)
    texts = {
        "one.py": "from benchmarks.harness.words import said\nfrom benchmarks import parts\n\n\nclass One:\n"
        "    def measure(self):\n        return 1\n\n    @said\n    def table(self):\n        return 'one'\n",
        "parts.py": "import benchmarks.deeper\n",
        "deeper.py": "DEPTH = 2\n",
        "harness/words.py": "said = None\n",
        "another.py": "",
    }

    def digest(**changes: tuple[str, str]) -> str:
        for name, text in texts.items():
            old, new = changes.get(Path(name).stem, ("", ""))
            (folder / name).write_text(text.replace(old, new))
        return digest_of_source(folder / "one.py", tmp_path)

    same = digest()
    assert digest(one=("'one'", "'two'")) == same
    assert digest(one=("    @said\n", "")) == same
    assert digest(words=("None", "True")) == same
    assert digest(another=("", "changed")) == same
    others = [digest(one=("return 1", "return 2")), digest(deeper=("2", "3")), digest(parts=("import", "import ast,"))]
    assert len({same, *others}) == 4


def test_a_file_that_is_cut_is_never_read_as_whole(squares, file):
    measure(squares, file)
    content = file.read_bytes()
    for end in range(0, len(content) - 2, 7):
        file.write_bytes(content[:end])
        with pytest.raises(RequestError, match=r"is cut or damaged; restore it, or delete it"):
            Results("squares", squares(), file)
    file.write_bytes(content.replace(b'"seconds"', b'"moments"', 1))
    with pytest.raises(RequestError, match="cut or damaged"):
        Results("squares", squares(), file)


def test_a_write_that_fails_leaves_the_file_as_it_was(squares, file, monkeypatch):
    squares.interrupted_at = "b"
    with pytest.raises(KeyboardInterrupt):
        measure(squares, file)
    before = file.read_text()
    squares.interrupted_at = None
    monkeypatch.setattr(squares, "summary", lambda self, rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measure(squares, file)
    found = json.loads(file.read_text())
    assert [row["key"] for row in found["rows"]] == ["a", "b", "c"]
    assert before.splitlines()[-3].rstrip(",") in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["squares.json"]


def test_a_file_of_another_benchmark_or_form_is_refused(squares, file):
    measure(squares, file, quick=True)
    with pytest.raises(RequestError, match="holds the quick form of 'squares'; give another file with --json"):
        Results("squares", squares(), file)
    with pytest.raises(RequestError, match="holds the quick form of 'squares'"):
        Results("circles", squares(), file)


def test_the_command_keeps_a_full_run_and_no_quick_one(command, squares, file, tmp_path, capsys):
    assert command("--quick") == 0
    assert json.loads(capsys.readouterr().out) == {"sum": 9}
    assert not file.parent.exists()
    assert command("--quick", "--json", str(tmp_path / "quick.json")) == 0
    assert json.loads((tmp_path / "quick.json").read_text())["quick"] is True
    assert command() == 0
    assert [path.name for path in file.parent.iterdir()] == ["squares.json"]
    assert json.loads(file.read_text())["summary"] == {"sum": 43}
    capsys.readouterr()
    assert command("--json", str(tmp_path / "quick.json")) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_all_rows_again(command, squares, file):
    """A cut one goes on without the word."""
    command()
    squares.measured.clear()
    squares.interrupted_at = "c"
    assert command("--again") == 130
    squares.interrupted_at = None
    assert command() == 0
    assert squares.measured == ["a", "b", "c", "d"]


def test_an_interrupted_command_ends_with_130(command, squares, file, capsys):
    squares.interrupted_at = "b"
    assert command() == 130
    assert "the rows that were finished are kept" in capsys.readouterr().err
    assert [row["key"] for row in json.loads(file.read_text())["rows"]] == ["a"]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_rows_of_files_that_are_there(name):
    for quick in (True, False):
        found = benchmark(name, quick)
        keys = found.rows()
        assert len(set(keys)) == len(keys) > 0
        assert all(path.exists() for key in keys for path in found.experiments(key))


def test_an_unknown_benchmark():
    with pytest.raises(RequestError, match="benchmark: there is no 'chian'; did you mean 'chain'"):
        benchmark("chian")
