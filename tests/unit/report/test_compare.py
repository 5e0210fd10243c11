"""Runs are grouped over seeds, with Student's t intervals and the settings that differ."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from dsray.base import RequestError
from dsray.record.judgements import keep_judgement
from dsray.record.record import Record
from dsray.report.compare import compare, comparison_table, write_comparison
from dsray.report.comparison import Cell, interval, written

Construct = Callable[..., Record]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_interval_is_students_t(count: int) -> None:
    values = np.random.default_rng(count).normal(0.97, 0.01, count)
    low, high = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    assert interval(values.tolist()) == pytest.approx((low, high), abs=1e-12)


def test_no_interval_from_one_value_and_none_around_equal_ones() -> None:
    assert interval([0.5]) is None
    assert interval([0.1, 0.1, 0.1]) == (0.1, 0.1)


def test_interval_covers_the_mean_in_95_of_100() -> None:
    samples = np.random.default_rng(0).normal(0.0, 1.0, (1000, 3))
    ends = [interval(sample.tolist()) for sample in samples]
    covered = sum(low <= 0 <= high for low, high in filter(None, ends))
    assert 930 <= covered <= 970


def test_seeds_are_grouped_and_experiments_kept_apart(construct_record: Construct) -> None:
    records = [construct_record(seed=s) for s in (0, 1, 2)]
    records += [construct_record(seed=s, epsilon=0.05) for s in (0, 1)]
    comparison = compare(records)
    assert [group.label for group in comparison.groups] == ["quickstart (3 seeds)", "quickstart-4 (2 seeds)"]
    assert [group.seeds for group in comparison.groups] == [(0, 1, 2), (0, 1)]
    assert comparison.differences == {"adversarial.stages.0.epsilon": (0.1, 0.05)}
    values = [record.metrics["test_accuracy"] for record in records[:3]]
    cell = comparison.metrics["test_accuracy"][0]
    assert cell is not None
    assert cell.values == tuple(values)
    assert cell.mean == pytest.approx(np.mean(values), abs=1e-15)
    assert (cell.low, cell.high) == interval(values)


def test_a_seed_run_twice_counts_once_by_its_last_run(construct_record: Construct) -> None:
    first, again, other = (construct_record(seed=s) for s in (0, 0, 1))
    again.update_metrics({"test_accuracy": 0.5})
    comparison = compare([first, again, other])
    assert [len(group.records) for group in comparison.groups] == [2]
    cell = comparison.metrics["test_accuracy"][0]
    assert cell is not None
    assert cell.values == (0.5, other.metrics["test_accuracy"])


def test_a_figure_that_a_run_lacks_stays_empty(construct_record: Construct) -> None:
    records = [construct_record(), construct_record(epsilon=0.05, only=())]
    comparison = compare(records)
    assert comparison.metrics["test_accuracy"][1] is None
    file = io.StringIO()
    Console(file=file, width=100).print(comparison_table(comparison))
    assert file.getvalue().isascii()
    assert re.search(r"robust accuracy +68\.\d %\s*\n", file.getvalue())


def test_one_run_cannot_be_compared(construct_record: Construct) -> None:
    with pytest.raises(RequestError, match="runs: 1 run given; give at least two"):
        compare([construct_record()])


def test_figures_are_written_with_half_their_interval() -> None:
    assert written("test_accuracy", Cell(0.974, 0.968, 0.98, (0.97, 0.978))) == "97.4 % ± 0.6"
    assert written("seconds_total", Cell(31.2, 30.0, 32.4, (31.0, 31.4))) == "31.2 s ± 1.2"
    assert written("parameters", Cell(187468.0, 187468.0, 187468.0, (187468, 187468))) == "187,468"
    assert written("test_accuracy", None) == ""


def test_page_overlays_the_runs_and_loads_nothing(construct_record: Construct, tmp_path: Path) -> None:
    records = [construct_record(seed=s) for s in (0, 1)] + [construct_record(epsilon=0.05)]
    out = write_comparison(records, tmp_path / "deep" / "comparison.html")
    text = out.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, flags=re.S)]
    loss = next(svg for svg in drawings if svg[0].text == "Loss")
    lines = [shape.get("class") for shape in loss.iter() if shape.tag.endswith("path")]
    assert lines == ["line s1", "line s1", "line s2"]
    assert "adversarial.stages.0.epsilon" in text
    assert [p.name for p in out.parent.iterdir()] == ["comparison.html"]


def test_page_of_experiments_with_one_seed_each(construct_record: Construct, tmp_path: Path) -> None:
    records = [construct_record(), construct_record(epsilon=0.05)]
    assert "<svg" in write_comparison(records, tmp_path / "page.html").read_text()


def test_a_place_that_cannot_be_written_is_refused(construct_record: Construct, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="out: cannot write"):
        write_comparison([construct_record(), construct_record(seed=1)], tmp_path / "file" / "c.html")


def test_a_run_that_is_not_counted_is_named(construct_record: Construct, tmp_path: Path) -> None:
    first, again, other = (construct_record(seed=s) for s in (0, 0, 1))
    note = f"{first.path} is left out: {again.path} is the same experiment with the same seed, and a seed counts once"
    assert compare([first, again, other]).notes == (note,)
    assert note in write_comparison([first, again, other], tmp_path / "c.html").read_text()
    assert compare([again, other]).notes == ()


def test_robust_accuracies_are_side_by_side_only_where_judged_alike(construct_record: Construct) -> None:
    alike, weaker = construct_record(), construct_record(epsilon=0.05)
    assert [cell is not None for cell in compare([alike, weaker]).metrics["robust_accuracy"]] == [True, True]
    report = {"epsilon": 0.05, "rows": 300, "attacks": ["pgd-20", "random_search"], "robust_accuracy": 0.9}
    keep_judgement(weaker, report, own=True)
    found = compare([alike, weaker]).metrics
    assert "robust_accuracy" not in found
    cells = found["robust_accuracy/epsilon 0.1"]
    assert cells[0] is not None and cells[0].mean == alike.metrics["robust_accuracy"] and cells[1] is None
    keep_judgement(alike, {**report, "robust_accuracy": 0.8}, own=False)
    weak = [cell.mean for cell in compare([alike, weaker]).metrics["robust_accuracy/epsilon 0.05"] if cell]
    assert weak == [0.8, 0.9]
    keep_judgement(alike, {**report, "rows": 20, "robust_accuracy": 0.7}, own=False)
    assert [name for name in compare([alike, weaker]).metrics if name.startswith("robust_accuracy/")] == [
        "robust_accuracy/epsilon 0.1, 300 rows",
        "robust_accuracy/epsilon 0.05, 300 rows",
        "robust_accuracy/epsilon 0.05, 20 rows",
    ]


def test_only_a_plain_file_is_replaced(construct_record: Construct, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    records = [construct_record(), construct_record(seed=1)]
    for name, words in (("pipe", "is no plain file"), ("runs", "is a folder")):
        with pytest.raises(RequestError, match=rf"^out: .* {words}; give an HTML file"):
            write_comparison(records, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()


def test_robustness_curves_by_different_attacks_say_so(construct_record: Construct, tmp_path: Path) -> None:
    records = [construct_record(seed=0), construct_record(seed=1)]
    assert "judged by different attacks" not in write_comparison(records, tmp_path / "same.html").read_text()
    weaker = {**(records[1].read_json("attack.json") or {}), "attacks": ["fgsm"]}
    records[1].write_json("attack.json", weaker)
    page = write_comparison(records, tmp_path / "other.html").read_text()
    assert "judged by different attacks: quickstart by pgd-20, random_search; quickstart-2 by fgsm" in page


def test_robustness_curves_over_radii_of_different_units_say_so(construct_record: Construct, tmp_path: Path) -> None:
    """0.5 is much in L-inf and little in L2: on one axis the curves do not compare."""
    records = [construct_record(seed=0), construct_record(seed=1)]
    assert "epsilon in different units" not in write_comparison(records, tmp_path / "same.html").read_text()
    other = {**(records[1].read_json("attack.json") or {}), "threat": "l2", "units": "L2, in units of the input"}
    records[1].write_json("attack.json", other)
    page = write_comparison(records, tmp_path / "other.html").read_text()
    said = "epsilon in different units: quickstart in L-inf, in units of the input; quickstart-2 in L2, in units of the input"
    assert said in page
    assert "judged by different attacks" not in page


def test_accuracies_of_known_rows_alone_are_told_apart(construct_record: Callable[..., Record]) -> None:
    """An earlier version left rows of an unknown class out of its accuracies."""
    old, new = construct_record(), construct_record(epsilon=0.2)
    old.update_metrics({"test_accuracy": 0.9})
    new.update_metrics({"test_rows_unknown": 80, "test_rows_unlabelled": 0})
    for record in (old, new):
        manifest = record.manifest
        manifest["data"]["known"] = {**manifest["data"]["rows"], "test": 1000}
        record.write_json("manifest.json", manifest)
    assert compare([old, new]).notes == (
        f"{old.path} was made by an earlier version: its accuracies are of the 1,000 test rows of known class, and 90.0 % "
        "would be 83.3 % of all 1,080",
    )


def test_a_run_that_is_not_finished_is_named(construct_record: Construct) -> None:
    """One whose process died without a word too."""
    done, dead, failed = (construct_record(epsilon=e) for e in (0.01, 0.02, 0.03))
    dead.resume()
    dead.release()
    failed.fail("worker lost")
    assert compare([done, Record.open(dead.path), failed]).notes == (
        f"{dead.path} was interrupted: its figures are those of the steps that were finished",
        f"{failed.path} failed: its figures are those of the steps that were finished",
    )


def test_a_record_that_cannot_be_compared_is_one_sentence(construct_record: Construct) -> None:
    """Valid files of a foreign record, one of which holds a list where a number belongs."""
    one, other = construct_record(seed=0), construct_record(seed=1)
    (other.path / "sums.json").unlink(missing_ok=True)
    (other.path / "manifest.json").write_text(json.dumps({**other.manifest, "seed": [1]}))
    with pytest.raises(RequestError, match=r"the comparison cannot be made from the files of"):
        compare([one, other])
