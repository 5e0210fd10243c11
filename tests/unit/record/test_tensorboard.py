"""Histories become events that TensorBoard reads back."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dsray.record.record import Record
from dsray.record.sinks.tensorboard import TensorBoardWriter


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_scalars_and_histograms_of_a_history(construct_record: Callable[..., Record]) -> None:
    record = construct_record()
    lines = record.history()
    with TensorBoardWriter(record.path) as writer:
        for line in lines:
            writer.add(line)
    events = read(record.path)
    steps = [line for line in lines if line["kind"] == "step"]
    for tag, name in (("train/loss", "loss"), ("epsilon", "epsilon"), ("rate/text", "rate/text")):
        scalars = events.Scalars(tag)
        assert [s.step for s in scalars] == [line["step"] for line in steps]
        assert [s.value for s in scalars] == pytest.approx([line[name] for line in steps], rel=1e-6)
    assert {"term/task", "term/adversarial", "validation/accuracy", "validation/skip_rate"} <= set(
        events.Tags()["scalars"]
    )
    assert "train/step" not in events.Tags()["scalars"]

    last = [line for line in lines if line["kind"] == "validation"][-1]
    ran = events.Histograms("routing/blocks_run")[-1].histogram_value
    assert list(ran.bucket) == last["blocks_run"]
    assert list(ran.bucket_limit) == [1.5, 2.5, 3.5]
    load = events.Histograms("routing/expert_load/block_2")[-1].histogram_value
    assert list(load.bucket) == pytest.approx(last["expert_load"][1])


def test_two_writers_of_a_folder_are_read_together(tmp_path: Path) -> None:
    for step in (10, 20):
        with TensorBoardWriter(tmp_path) as writer:
            writer.add({"kind": "step", "step": step, "loss": 1.0})
    assert [s.step for s in read(tmp_path).Scalars("train/loss")] == [10, 20]


def test_lines_without_figures_are_left_out_and_the_file_names_no_host(tmp_path: Path) -> None:
    with TensorBoardWriter(tmp_path) as writer:
        size = writer.path.stat().st_size
        writer.add({"kind": "stage", "step": 10, "stage": "clean", "event": "begin"})
        writer.add({"kind": "step", "loss": 1.0})
        assert writer.path.stat().st_size == size
        writer.add({"kind": "step", "step": 1, "loss": 1.0})
        assert writer.path.stat().st_size > size  # readable while the run goes on
    assert writer.path.name.startswith("events.out.tfevents.")
    assert socket.gethostname() not in writer.path.name


def losses(*steps: int, value: float) -> list[dict[str, object]]:
    return [{"kind": "step", "step": step, "loss": value} for step in steps]


@pytest.mark.parametrize("shown", [(), (5,), (5, 20), (5, 20, 25, 45)], ids="shown up to {}".format)
def test_a_resumed_run_draws_each_step_once(tmp_path: Path, shown: tuple[int, ...]) -> None:
    """Its history was kept to the checkpoint of step 20; the run that was killed had shown more of it, or less."""
    with TensorBoardWriter(tmp_path) as writer:
        for line in losses(*shown, value=0.0):
            writer.add(line)
    with TensorBoardWriter(tmp_path) as writer:
        writer.catch_up(losses(5, 20, value=0.0))
        for line in losses(25, 30, 45, value=1.0):
            writer.add(line)
        writer.purge(30)  # a worker died and goes on from step 30
        for line in losses(45, 60, value=2.0):
            writer.add(line)
    found = [(s.step, s.value) for s in read(tmp_path).Scalars("train/loss")]
    assert found == [(5, 0.0), (20, 0.0), (25, 1.0), (30, 1.0), (45, 2.0), (60, 2.0)]
