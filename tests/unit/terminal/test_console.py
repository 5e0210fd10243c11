"""The closing table holds the figures of a record, and the next commands can be pasted."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dsray.record.record import Record
from dsray.report.sections.accuracy import accuracy
from dsray.report.sections.compression import compression
from dsray.terminal.closing import closing_table, next_commands, step_note


def printed(record: Record) -> str:
    file = io.StringIO()
    Console(file=file, width=100).print(closing_table(record))
    return file.getvalue()


def row(text: str, label: str) -> list[str]:
    found = [line for line in text.splitlines() if line.strip().startswith(label)]
    assert len(found) == 1, text
    return found[0].strip().removeprefix(label).split()


def test_figures_of_a_whole_run(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    record.update_metrics({"test_accuracy": 0.974, "test_accuracy_undefended": 0.987, "int8_accuracy": 0.9731})
    record.update_metrics({"test_accuracy_without_text": 0.497, "test_accuracy_without_image": 0.401})
    record.update_metrics({"robust_accuracy": 0.683, "robust_accuracy_undefended": 0.407})
    text = printed(record)
    assert text.startswith("quickstart  done in 46.2 s\n")
    assert row(text, "on 1,080 test rows") == ["97.4", "%", "98.7", "%", "97.3", "%"]
    assert row(text, "with the question hidden") == ["49.7", "%"]
    assert row(text, "with the image hidden") == ["40.1", "%"]
    assert row(text, "under attack (epsilon 0.1, 300 rows)") == ["68.3", "%", "40.7", "%"]
    assert row(text, "onnxruntime int8") == ["226", "kB", "0.43", "ms", "2.3", "ms"]
    assert row(text, "torch eager fp32") == ["812", "kB", "1.92", "ms", "9.4", "ms"]
    assert "31.8 %, accuracy -0.1 points" in text
    assert "train 29.3, attack 6.1, answer 3.2" in text
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100


def test_a_model_that_was_never_trained_under_attack_is_not_called_defended(
    construct_record: Callable[..., Record],
) -> None:
    record = construct_record()
    assert "defended" in printed(record) and ">defended</th>" in str(accuracy(record).body)
    plain = {name: v for name, v in record.metrics.items() if name != "mean_train_epsilon" and "undef" not in name}
    record.write_json("metrics.json", plain)
    (record.path / "attack.json").unlink()  # which has the undefended twin
    assert "robust_accuracy" in plain
    assert "defended" not in printed(record) and "defended" not in str(accuracy(record).body)


def test_what_a_single_accuracy_hides_is_printed(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("metrics.json",))
    record.update_metrics({"test_accuracy": 0.725, "test_balanced_accuracy": 0.25, "test_accuracy_known": 0.75})
    record.update_metrics({"test_rows_unknown": 1, "test_rows_unlabelled": 40})
    shape = {"classes": ["ok", "scratch", "dent"], "uneven": True}
    part = {"precision": 0.0, "f1": 0.0, "rows": 9}
    per_class = [{**part, "class": name, "recall": float(name == "ok")} for name in shape["classes"]]
    record.write_json("evaluation.json", {**shape, "answered": [38, 2, 0], "per_class": per_class})
    text = printed(record)
    assert row(text, "on 1,040 test rows")[:2] == ["72.5", "%"]
    assert row(text, "of them of known class") == ["75.0", "%"]
    assert row(text, "balanced over the classes") == ["25.0", "%"]
    said = " ".join(text.split())
    assert "answers every row of 'scratch', 'dent' missed" in said
    assert (
        "rows 1 of the 1,040 test rows is of a class that the training rows do not have and counts as wrong; accuracy on "
        "the others 75.0 % rows 40 test rows without a label are in no figure"
    ) in said
    assert step_note(record, "evaluate") == "accuracy 72.5 %, balanced 25.0 %"

    record.write_json("evaluation.json", {**shape, "answered": [40, 0, 0], "per_class": per_class})
    said = " ".join(printed(record).split())
    assert (
        'answers one answer ("ok") for every row: its class is that of 72.5 % of them' in said and "missed" not in said
    )
    assert step_note(record, "evaluate").endswith('balanced 25.0 %, one answer ("ok") for every row')


def test_a_model_of_nothing_that_can_be_attacked_says_so(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    report = record.read_json("compressed/report.json")
    record.write_json("compressed/report.json", {k: v for k, v in report.items() if not k.startswith("adversarial")})
    assert ["int8", "no", "images", "to", "attack"] in [line.split() for line in printed(record).splitlines()]
    assert "Without images: no adversarial rows." in str(compression(record).body)


def test_a_record_with_nothing_yet(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=())
    record.fail("worker lost")
    assert printed(record).strip() == "quickstart  failed: worker lost"


def test_other_data_hides_its_input_not_a_question(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    record.write_json("manifest.json", {**record.manifest, "data": {"source": "parquet"}})
    assert "with the text hidden" in printed(record)


def test_next_commands(
    construct_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    record = construct_record()
    words = [shlex.split(command) for command in next_commands(record)]
    assert [w[1:] for w in words] == [["serve", "runs/quickstart"], ["predict", "runs/quickstart", "FILE"]]
    assert all(Path(w[0]).name == "dsray" for w in words)

    (record.path / "compressed" / "report.json").unlink()
    assert next_commands(record) == []  # without an artefact there is nothing to serve

    record.write_json("compressed/report.json", {})
    (tmp_path / "jobs/experiments/sweeps").mkdir(parents=True)
    (tmp_path / "jobs/experiments/sweeps/quickstart.yaml").write_text("")
    record.write_text("report.html", "")
    record.write_text("events.out.tfevents.1", "")
    added = [shlex.split(command)[1:] for command in next_commands(record)[2:]]
    assert added == [
        ["tune", "jobs/experiments/sweeps/quickstart.yaml"],
        ["-m", "webbrowser", "runs/quickstart/report.html"],
        ["--logdir", "runs/quickstart"],
    ]
