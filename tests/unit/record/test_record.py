"""A record is numbered, written in whole files, and refuses what is not one."""

from __future__ import annotations

import json
import math
import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pytest

from dsray.base import RequestError
from dsray.record.judgements import own_judgement
from dsray.record.record import Record


def make(root: Path, name: str = "quickstart") -> Record:
    return Record.create(root, name, "name: quickstart\n", {"name": name, "seed": 0})


def test_second_run_of_a_name_is_numbered_and_latest_follows(tmp_path: Path) -> None:
    names = [make(tmp_path).name for _ in range(3)]
    assert names == ["quickstart", "quickstart-2", "quickstart-3"]
    assert (tmp_path / "latest").resolve().name == "quickstart-3"
    other = make(tmp_path, "other")
    assert Record.open(tmp_path / "latest").path == other.path
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def _make_one(root: Path, _: int) -> str:
    return make(root).name


def test_runs_that_start_together_get_a_folder_each(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        names = pool.starmap(_make_one, [(tmp_path, i) for i in range(12)])
    assert sorted(names) == sorted(["quickstart", *(f"quickstart-{i}" for i in range(2, 13))])


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "latest"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="name:"):
        make(tmp_path, name)


def test_given_folder_may_be_absent_or_empty_but_not_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent/deep"):
        record = Record.create_at(tmp_path / name, "name: x\n", {})
        assert record.experiment_text == "name: x\n"
    with pytest.raises(RequestError, match=r"out: .*empty is not empty; give a new folder or --resume"):
        Record.create_at(tmp_path / "empty", "name: x\n", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="out: cannot make the folder"):
        Record.create_at(tmp_path / "file", "name: x\n", {})


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(RequestError, match="does not exist; did you mean 'quickstart'"):
        Record.open(tmp_path / "quickstrat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"not a run folder \(experiment.yaml and manifest.json missing\)"):
        Record.open(tmp_path / "empty")
    (tmp_path / "quickstart" / "sums.json").unlink()
    (tmp_path / "quickstart" / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(RequestError, match="format 2"):
        Record.open(tmp_path / "quickstart")
    (tmp_path / "quickstart" / "manifest.json").write_text('{"format": ')
    with pytest.raises(RequestError, match="not valid JSON"):
        Record.open(tmp_path / "quickstart")


def test_equal_figures_give_equal_bytes_whatever_their_type_and_order(tmp_path: Path) -> None:
    third = 1 / 3
    a, b = make(tmp_path), make(tmp_path)
    a.update_metrics({"z": third, "a": 3})
    b.update_metrics({"a": np.int64(3)})
    b.update_metrics({"z": np.float64(third)})
    assert (a.path / "metrics.json").read_bytes() == (b.path / "metrics.json").read_bytes()
    assert a.metrics["z"] == third
    a.update_metrics({"bad": math.nan, "worse": -math.inf})
    assert json.loads((a.path / "metrics.json").read_text())["bad"] is None


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.update_metrics({"test_accuracy": 0.5})
    with pytest.raises(TypeError):
        record.write_json("metrics.json", {"x": object()})
    with pytest.raises(UnicodeEncodeError):
        record.write_text("metrics.json", "half \ud800 written")
    assert record.metrics == {"test_accuracy": 0.5}
    assert not list(record.path.glob(".metrics*"))


def flipped(content: bytes, position: int, bit: int = 1) -> bytes:
    return content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :]


READERS = {
    "experiment.yaml": lambda r: r.experiment,
    "manifest.json": lambda r: r.manifest,
    "status.json": lambda r: r.status,
    "metrics.json": lambda r: r.metrics,
    "timings.json": lambda r: r.timings,
    "tune/summary.json": lambda r: r.read_json("tune/summary.json"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_bit_of_any_file_is_named(tmp_path: Path, name: str) -> None:
    record = make(tmp_path)
    record.update_metrics({"test_accuracy": 0.25})
    record.update_timings({"seconds_total": 1.5})
    record.write_json("tune/summary.json", {"best_value": 0.5})
    whole = (record.path / name).read_bytes()
    assert READERS[name](record)
    for position in range(len(whole)):
        (record.path / name).write_bytes(flipped(whole, position))
        with pytest.raises(RequestError, match=rf"{name} is damaged: .*; restore it, or delete .*sums.json to read it"):
            READERS[name](record)
    (record.path / "sums.json").unlink()
    (record.path / name).write_bytes(whole)
    assert READERS[name](record)  # as a record of an older version


def test_a_flipped_bit_of_the_digests_is_named(tmp_path: Path) -> None:
    record = make(tmp_path)
    path = record.path / "sums.json"
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(flipped(whole, position))
        with pytest.raises(RequestError, match=r"sums\.json is damaged; restore it, or delete it"):
            Record.open(record.path)
        with pytest.raises(RequestError, match=r"sums\.json is damaged"):
            record.update_metrics({"a": 1})
    path.write_bytes(b"")
    with pytest.raises(RequestError, match=r"sums\.json is damaged"):
        Record.open(record.path)


def test_a_kill_between_digest_and_file_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dsray.base.sealed as files

    record = make(tmp_path)
    record.update_metrics({"a": 1})
    replacing = files.replacing_file

    def killed(path: Path):
        if path.name == "metrics.json":
            raise KeyboardInterrupt
        return replacing(path)

    for value in (2, 3):  # twice: what the file holds stays right
        monkeypatch.setattr(files, "replacing_file", killed)
        with pytest.raises(KeyboardInterrupt):
            record.update_metrics({"a": value})
        monkeypatch.undo()
        assert record.metrics == {"a": 1}
    record.update_metrics({"a": 4})
    assert Record.open(record.path).metrics == {"a": 4}


def test_a_damaged_file_is_not_made_right_by_writing_another(tmp_path: Path) -> None:
    record = make(tmp_path)
    record.update_metrics({"test_accuracy": 0.25})
    path = record.path / "metrics.json"
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.75"))
    record.update_timings({"seconds_total": 1.5})
    for look in (lambda: record.metrics, lambda: record.update_metrics({"b": 1})):
        with pytest.raises(RequestError, match=r"metrics\.json is damaged"):
            look()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metrics.json", b"[]", "holds no mapping"),
        ("metrics.json", b'{"a": "x"}', "holds no number under 'a'"),
        ("metrics.json", b'{"a": \xff}', "not valid JSON .byte 6 is not UTF-8"),
        ("metrics.json", b"[" * 100_000, "not valid JSON .it nests too deeply"),
        ("manifest.json", b'"x"', "holds no mapping"),
        ("status.json", b'{"state": 1}', "holds no state and steps"),
        ("status.json", b'{"steps": []}', "holds no state and steps"),
        ("experiment.yaml", b"name: \xff", "is not UTF-8 .byte 6"),
        ("experiment.yaml", b"[" * 2000 + b"]" * 2000, "not valid YAML .it nests too deeply"),
        ("experiment.yaml", b"seed: " + b"9" * 5000, "not valid YAML .Exceeds the limit"),
    ],
)
def test_a_file_without_a_digest_that_is_not_what_it_should_be(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    record = make(tmp_path)
    (record.path / "sums.json").unlink()
    (record.path / name).write_bytes(content)
    with pytest.raises(RequestError, match=f"record: .*{name} .*{words}"):
        READERS[name](record)


def test_a_status_that_lacks_a_key_has_its_default(tmp_path: Path) -> None:
    record = make(tmp_path)
    (record.path / "sums.json").unlink()
    (record.path / "status.json").write_text('{"state": "done"}')
    assert record.status == {"state": "done", "steps": {}, "error": None}


def test_files_of_a_model_and_of_an_artefact_are_compared_with_their_own_lists(tmp_path: Path) -> None:
    from dsray.base.sums import digest_of, seal, write_sums

    record = make(tmp_path)
    for folder, name in (("model", "training.json"), ("compressed", "report.json")):
        path = record.path / folder / name
        path.parent.mkdir()
        path.write_text('{"steps": 3}')
        if folder == "model":
            write_sums(path.parent)
        else:
            (path.parent / "manifest.json").write_bytes(seal({"files": {name: digest_of(path)}}))
        assert record.read_json(f"{folder}/{name}") == {"steps": 3}
        path.write_text('{"steps": 4}')
        with pytest.raises(RequestError, match=rf"{name} is damaged"):
            record.read_json(f"{folder}/{name}")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("attack.json", b"[1]", "the section 'robustness'"),
        ("attack.json", b'{"curve": [{}]}', "the section 'robustness'"),
        ("evaluation.json", b'{"reliability": [{}]}', "the section 'calibration'"),
        ("tune/summary.json", b'{"history": 3}', "the section 'tuning'"),
        ("compressed/report.json", b'"x"', "the section 'accuracy'"),
        ("model/training.json", b"[1]", "the head"),
    ],
)
def test_a_report_of_a_file_that_lacks_a_key_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    from dsray.report.html import write_report

    record = make(tmp_path)
    path = record.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(RequestError, match=f"record: {what} .*cannot be made from the files of .*; restore them"):
        write_report(record)


def test_an_error_of_the_system_names_the_file_that_people_know(tmp_path: Path) -> None:
    record = make(tmp_path)
    (record.path / "metrics.json").mkdir()
    with pytest.raises(OSError, match="metrics") as caught:
        record.write_json("metrics.json", {})
    assert Path(caught.value.filename) == record.path / "metrics.json"


def test_status_follows_the_run(tmp_path: Path) -> None:
    record = make(tmp_path)
    assert record.status == {"state": "running", "steps": {}, "error": None}
    record.set_step("data", "done")
    record.fail(RuntimeError("worker\n  lost"))
    assert record.status == {"state": "failed", "steps": {"data": "done"}, "error": "worker lost"}
    record.resume()
    record.finish()
    assert record.status == {"state": "done", "steps": {"data": "done"}, "error": None}


def test_history_without_the_torn_line(tmp_path: Path) -> None:
    record = make(tmp_path)
    assert record.history() == []
    (record.path / "history.jsonl").write_text('{"kind": "step", "step": 1}\n{"kind": "step", "st')
    assert record.history() == [{"kind": "step", "step": 1}]


def test_history_of_a_resumed_run_counts_each_step_once(tmp_path: Path) -> None:
    record = make(tmp_path)
    first = [{"kind": "step", "step": s, "loss": 1.0} for s in (10, 20, 30, 40)]
    first.insert(2, {"kind": "validation", "step": 20, "accuracy": 0.5})
    again = [{"kind": "step", "step": s, "loss": 2.0} for s in (30, 40, 50)]
    torn = '{"kind": "step", "st\n'
    (record.path / "history.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in first) + torn + "".join(json.dumps(line) + "\n" for line in again)
    )
    steps = [(line["step"], line["loss"]) for line in record.history() if line["kind"] == "step"]
    assert steps == [(10, 1.0), (20, 1.0), (30, 2.0), (40, 2.0), (50, 2.0)]
    assert sum(line["kind"] == "validation" for line in record.history()) == 1


def test_history_has_all_that_was_said_at_one_step(tmp_path: Path) -> None:
    record = make(tmp_path)
    lines = [
        {"kind": "action", "step": 4, "stage": "clean", "action": name, "rows": 3} for name in ("prune", "refresh")
    ]
    lines += [{"kind": "validation", "step": 4, "stage": "clean"}]
    (record.path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert record.history() == lines


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    record = make(tmp_path)
    content = {f"figure_{i}": i / 7 for i in range(3000)}
    record.write_json("metrics.json", content)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            record.write_json("metrics.json", content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [(record.path / "metrics.json").read_text() for _ in range(300)]
    finally:
        stop.set()
        writer.join()
    assert all(json.loads(text) == content for text in set(seen))


@pytest.mark.parametrize(
    ("text", "words"), [("", "holds no mapping"), ("- 1", "holds no mapping"), ("a: [", "not valid")]
)
def test_a_damaged_experiment_is_named(tmp_path: Path, text: str, words: str) -> None:
    record = Record.create(tmp_path, "x", text, {})
    with pytest.raises(RequestError, match=rf"record: .*experiment.yaml .*{words}"):
        _ = record.experiment


def test_latest_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(RequestError, match=r"latest is no link to the newest run; move it away"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


@pytest.mark.parametrize("content", ['{"own": true}', "[5]", '[{"rows": 3}]', "3"])
def test_a_list_of_judgements_that_holds_something_else_is_one_sentence(tmp_path: Path, content: str) -> None:
    record = make(tmp_path)
    (record.path / "judgements.json").write_text(content)
    with pytest.raises(RequestError, match=r"judgements.json holds no list of judgements; restore or delete it"):
        own_judgement(record)


def test_figures_that_are_not_finite_are_left_out_whoever_wrote_them(tmp_path: Path) -> None:
    record = make(tmp_path)
    (record.path / "metrics.json").write_text('{"a": 1e999, "b": NaN, "c": -Infinity, "d": 0.5, "e": null}')
    assert record.metrics == {"d": 0.5}
