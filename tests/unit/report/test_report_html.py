"""The report: sections with data, one file that loads nothing, nothing from a file taken as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from dsray.record.record import Record
from dsray.report.html import write_report
from dsray.targets import LabelsSpec

ALWAYS = {"experiment", "data"}
NEEDS = {
    "metrics.json": {"accuracy"},
    "timings.json": {"time"},
    "history.jsonl": {"training"},
    "evaluation.json": {"classes", "calibration", "routing", "examples"},
    "attack.json": {"robustness"},
    "compressed/report.json": {"compression"},
    "tune/summary.json": {"tune"},
}
VOID = {"meta", "img", "br", "link", "input"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    """Tags with their attributes, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def sections(self) -> set[str | None]:
        return {attributes.get("id") for tag, attributes in self.tags if tag == "section"}


def report(record: Record) -> tuple[str, Page]:
    path = write_report(record)
    assert path == record.path / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_whole_record_gives_every_section_linked(construct_record: Callable[..., Record]) -> None:
    text, page = report(construct_record())
    assert page.sections == ALWAYS.union(*NEEDS.values())
    links = {a["href"] for tag, a in page.tags if tag == "a"}
    assert links == {f"#{key}" for key in page.sections}
    for words in (
        "dsray run jobs/experiments/quickstart.yaml train.threads=2",
        "Expected calibration error 1.4 %",
        "with the question hidden",
        "Is the number even?",
        "Winning epsilon schedule",
        "Confusion matrix",
        "What the attack did",
        "Judged on 300 rows at epsilon 0.1",
        "3.6 times smaller",
        "2.13.0+cpu",
        "peak_value",
    ):
        assert words in page.text
    assert len(text) < 400_000


@pytest.mark.parametrize("name", NEEDS)
def test_a_section_appears_only_with_its_file(construct_record: Callable[..., Record], name: str) -> None:
    _, page = report(construct_record(only=(name,)))
    assert page.sections == ALWAYS | NEEDS[name]


def test_the_undefended_twin_is_drawn_when_it_was_trained(construct_record: Callable[..., Record]) -> None:
    alone, _ = report(construct_record(only=("history.jsonl",)))
    both, _ = report(construct_record(only=("history.jsonl", "history-undefended.jsonl")))
    assert "undefended" not in alone
    assert both.count("undefended</li>") == 2


def test_a_stage_that_a_policy_ended_says_so(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("history.jsonl",))
    best = {"step": 400, "figure": "loss", "value": 0.25}
    end = {"kind": "stage", "event": "end", "stage": "pgd", "step": 1100, "best": best}
    with (record.path / "history.jsonl").open("a") as file:
        file.write(json.dumps(end | {"reason": "loss flat for 3 validations"}) + "\n")
    said = "Pgd stopped at step 1,100: loss flat for 3 validations; best weights of step 400 kept (loss 0.25)."
    assert said in report(record)[1].text


def test_radii_of_several_threats_on_one_axis_are_told(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("history.jsonl",))
    assert "of each stage in the units of its own threat" not in report(record)[1].text
    stages = [{"name": kind, "threat": {"kind": kind}} for kind in ("linf", "l2", "linf")]
    record.write_text("experiment.yaml", json.dumps({"adversarial": {"stages": stages}}))
    assert "trained on; of each stage in the units of its own threat (linf, l2)" in report(record)[1].text


@pytest.mark.parametrize(("device", "told"), [("cpu", False), ("NVIDIA H100 80GB HBM3", True)])
def test_the_head_names_the_gpu_that_trained(construct_record: Callable[..., Record], device: str, told: bool) -> None:
    record = construct_record(only=("metrics.json",))
    (record.path / "model").mkdir()
    (record.path / "model/training.json").write_text(json.dumps({"device": device}))
    assert (f"trained on {device}" in report(record)[1].text) is told


def test_page_loads_nothing_and_allows_its_own_script_only(construct_record: Callable[..., Record]) -> None:
    text, page = report(construct_record())
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert (attributes.get("src") or "data:image/png;").startswith("data:image/png;")
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|(?<!xmlns=\")https?://(?!www\.w3\.org/2000/svg\")", text)
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    assert len(scripts) == 1
    policy = next(a["content"] or "" for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_charts_of_the_page_are_xml(construct_record: Callable[..., Record]) -> None:
    text, _ = report(construct_record())
    drawings = re.findall(r"<svg.*?</svg>", text, flags=re.S)
    assert len(drawings) >= 15
    for drawing in drawings:
        svg = ElementTree.fromstring(drawing)
        assert svg[0].tag.endswith("title")
        assert svg[1].tag.endswith("desc")


def test_nothing_from_a_file_becomes_markup(construct_record: Callable[..., Record]) -> None:
    record = construct_record()

    def poison(value: object) -> object:
        if isinstance(value, dict):
            return {key: poison(item) for key, item in value.items()}
        if isinstance(value, list):
            return [poison(item) for item in value]
        return HOSTILE if isinstance(value, str) and not value.startswith("data:") else value

    for name in NEEDS:
        if name.endswith(".json"):
            record.write_json(name, poison(record.read_json(name)))
    lines = [poison(line) if line["kind"] == "stage" else {**line, "stage": HOSTILE} for line in record.history()]
    record.write_text("history.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    clean = construct_record()
    manifest = {**clean.manifest, "command": ["dsray", HOSTILE], "created": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    record.write_json("manifest.json", manifest)
    record.write_text("experiment.yaml", f"name: {HOSTILE}\n{HOSTILE}: 1\n")
    record.fail(HOSTILE)

    text, page = report(record)
    assert text.count("<script>") == 1
    assert HOSTILE not in text
    assert page.text.count("<img src=x onerror=alert(2)>") > 20
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]


def test_a_failed_run_says_so_first(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("history.jsonl",))
    record.fail("worker 1 lost")
    _, page = report(record)
    assert "The run failed: worker 1 lost" in page.text
    assert page.sections == ALWAYS | {"training"}


def test_hundred_classes_are_listed_with_the_worst_pairs(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    evaluation = record.read_json("evaluation.json")
    names = [f"class {i}" for i in range(120)]
    confusion = [[50 if i == j else 0 for j in range(120)] for i in range(120)]
    confusion[3][7] = 9
    evaluation |= {"classes": names, "confusion": confusion, "per_class": []}
    evaluation["per_class"] = [{"class": n, "precision": 1, "recall": 1, "f1": 1, "rows": 50} for n in names]
    record.write_json("evaluation.json", evaluation)
    text, page = report(record)
    assert "Confusion matrix" not in page.text
    assert "9 wrong answers in 6,009 rows." in page.text
    assert "taken for" in page.text
    assert len(text) < 500_000


def test_rows_that_no_answer_is_right_for_are_told_apart(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("metrics.json",))
    record.update_metrics({"test_accuracy": 0.9, "test_accuracy_known": 0.975})
    record.update_metrics({"test_rows_unknown": 80, "test_rows_unlabelled": 40})
    text = report(record)[1].text
    assert (
        "On 1,040 rows of the test split. 80 of the 1,040 test rows are of a class that the training rows do not have and "
        "count as wrong; accuracy on the others 97.5 %. 40 test rows without a label are in no figure."
    ) in text
    assert "of known class alone97.5 %" in text

    record.write_json("evaluation.json", {"wording": LabelsSpec.wording._asdict()})
    text = report(record)[1].text
    assert (
        "80 of the 1,040 test rows are marked with a label that the training rows do not have and count as wrong"
        in text
    )
    assert "40 test rows without a label set are in no figure." in text and "of known labels alone97.5 %" in text
    assert "of a class" not in text and "known class" not in text


def test_one_answer_and_missed_classes_are_said(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("metrics.json",))
    record.update_metrics({"test_accuracy": 0.725, "test_balanced_accuracy": 0.5})
    part = {"precision": 0.0, "f1": 0.0}
    per_class = [
        {**part, "class": "ok", "recall": 1.0, "rows": 29},
        {**part, "class": "scratch", "recall": 0.0, "rows": 11},
    ]
    evaluation = {"classes": ["ok", "scratch"], "answered": [40, 0], "uneven": True, "per_class": per_class}
    record.write_json("evaluation.json", evaluation)
    text = report(record)[1].text
    assert 'One answer ("ok") for every row: its class is that of 72.5 % of them.' in text
    assert "balanced: mean over the classes50.0 %" in text and "50.0 % balanced" in text
    record.write_json("evaluation.json", {**evaluation, "answered": [39, 1]})
    text = report(record)[1].text
    assert "One answer" not in text and "Every row of 'scratch' missed." in text


def test_rows_of_unknown_class_in_a_record_of_before_are_told_apart(construct_record: Callable[..., Record]) -> None:
    record = construct_record(only=("metrics.json",))
    manifest = record.manifest
    manifest["data"]["known"] = {**manifest["data"]["rows"], "test": 1000}
    record.write_json("manifest.json", manifest)
    lead = "On 1,000 rows of the test split. The class of 80 further rows is unknown to the model."
    assert lead in write_report(record).read_text(encoding="utf-8")


def test_what_a_page_cannot_show_is_told(construct_record):
    record = construct_record(only=("evaluation.json", "attack.json"))
    sound = {"media": "audio/wav", "content": "data:audio/wav;base64,AAAA"}
    found = record.read_json("evaluation.json")
    found["examples"][0]["inputs"] = {"sound": sound, "note": {"media": "text/plain", "content": "hum"}}
    record.write_json("evaluation.json", found)
    judged = record.read_json("attack.json")
    judged["examples"][0] |= {"clean": sound, "adversarial": sound, "difference": None, "others": {"echo": sound}}
    record.write_json("attack.json", judged)
    text, page = report(record)
    assert page.text.count("audio/wav is not shown") == 4 and "base64,AAAA" not in text
    assert "<p>hum</p>" in text
