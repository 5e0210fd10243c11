"""A run that is made in several stretches: the same figures, each step shown once, seconds that say what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dsray
from dsray.base import RequestError
from dsray.record import Record
from dsray.runner.watch import RunWatch

SMALL = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 12, "batch": 32, "log_every": 1, "checkpoint_every": 4, "validate_every": 6},
    "adversarial": {
        "stages": [{"steps": 6, "attack": {"kind": "fgsm"}, "epsilon": 0.05}],
        "judge": {"rows": 20, "curve": [], "attacks": [{"kind": "fgsm"}]},
    },
}


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture
def straight(file) -> Record:
    return dsray.run(file, out=file.parent / "straight", local=True)


def interrupted(monkeypatch, file, out: Path, training: str, step: int, **options) -> None:
    """Ctrl-C when `training` has come to `step`."""
    line = RunWatch.line

    def until(self, name, found):
        line(self, name, found)
        if (name, found["step"]) == (training, step):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunWatch, "line", until)
        with pytest.raises(KeyboardInterrupt):
            dsray.run(file, out=out, local=True, **options)


def losses(folder: Path) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("train/loss")]


def test_the_twin_has_a_tensorboard_run_of_its_own(straight):
    assert [step for step, _ in losses(straight.path)] == [*range(1, 19)]
    assert [step for step, _ in losses(straight.path / "undefended")] == [*range(1, 19)]
    assert losses(straight.path) != losses(straight.path / "undefended")
    assert len(list(straight.path.glob("events.*"))) == 1


def test_a_resumed_run_ends_as_an_undisturbed_one_and_shows_each_step_once(monkeypatch, file, straight):
    out = file.parent / "run"
    interrupted(monkeypatch, file, out, "", 7)
    first = Record.open(out).timings
    interrupted(monkeypatch, file, out, "undefended", 11, resume=True)
    second = Record.open(out).timings
    record = dsray.run(file, out=out, local=True, resume=True)
    assert (out / "metrics.json").read_bytes() == (straight.path / "metrics.json").read_bytes()
    for name in (".", "undefended"):
        assert losses(out / name) == losses(straight.path / name)
    stretches = record.manifest["stretches"]
    assert [found["from_step"] for found in stretches] == [0, 4, 18]
    assert {tuple(sorted(found)) for found in stretches} == {("from_step", "parallel", "started")}
    third = record.timings
    for name in ("seconds_total", "seconds/train"):
        assert 0 < first[name] < second[name] < third[name]
    for name in ("seconds/data", "seconds_to_first_step"):
        assert first[name] == second[name] == third[name]
    assert ", in 3 stretches, from step 0, 4, 18." in (out / "report.html").read_text()


def test_going_on_with_a_finished_run_changes_no_timing(file, straight):
    kept = {name: (straight.path / name).read_bytes() for name in ("timings.json", "manifest.json", "metrics.json")}
    events = sorted(straight.path.rglob("events.*"))
    dsray.run(file, out=straight.path, local=True, resume=True)
    for name, before in kept.items():
        assert (straight.path / name).read_bytes() == before
    assert sorted(straight.path.rglob("events.*")) == events
    assert straight.status["state"] == "done"


def test_a_model_that_is_made_again_is_a_stretch(file, straight):
    shutil.rmtree(straight.path / "model")
    before = straight.timings
    record = dsray.run(file, out=straight.path, local=True, resume=True)
    assert [found["from_step"] for found in record.manifest["stretches"]] == [0, 18]
    assert record.timings["seconds/train"] > before["seconds/train"]
    assert record.timings["seconds/attack"] == before["seconds/attack"]


def test_other_processes_go_on_with_a_record_and_are_listed(monkeypatch, file, straight):
    out = file.parent / "run"
    asked = ("parallel.device=cpu", "parallel.max_failures=5")
    interrupted(monkeypatch, file, out, "", 7)
    text = (out / "experiment.yaml").read_text()
    record = dsray.run(file, *asked, out=out, local=True, resume=True)
    assert (out / "experiment.yaml").read_text() == text
    noted = [(found["parallel"]["device"], found["parallel"]["max_failures"]) for found in record.manifest["stretches"]]
    assert noted == [("auto", 2), ("cpu", 5)]
    assert (out / "metrics.json").read_bytes() == (straight.path / "metrics.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [("train.batch=16", "train.batch: changed from 32 to 16 since "), ("seed=1", "seed: changed from 0 to 1 since ")],
)
def test_any_other_field_is_refused(file, straight, change, sentence):
    with pytest.raises(RequestError, match=f"^{sentence}"):
        dsray.run(file, change, "parallel.device=cpu", out=straight.path, local=True, resume=True)


def test_fields_that_a_record_is_too_old_to_name_are_as_by_default(file, straight):
    tree = yaml.safe_load((straight.path / "experiment.yaml").read_text())
    del tree["train"]["clip"], tree["parallel"]["pipeline"]
    (straight.path / "experiment.yaml").write_text(yaml.safe_dump(tree))
    manifest = json.loads((straight.path / "manifest.json").read_text())
    del manifest["stretches"]
    (straight.path / "manifest.json").write_text(json.dumps(manifest))
    (straight.path / "sums.json").unlink()
    shutil.rmtree(straight.path / "model")
    record = dsray.run(file, out=straight.path, local=True, resume=True)
    assert [found["from_step"] for found in record.manifest["stretches"]] == [0, 18]
