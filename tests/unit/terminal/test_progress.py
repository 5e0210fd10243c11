"""The live line: few plain lines in a pipe, one moving line on a terminal, true rates."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from dsray.terminal.pace import Pace
from dsray.terminal.progress import Progress


def line(step: int, stage: str = "clean", seconds_a_step: float = 0.1) -> dict[str, Any]:
    time_s = step * seconds_a_step
    return {
        "kind": "step",
        "step": step,
        "total": 100,
        "stage": stage,
        "time_s": time_s,
        "rows": step * 64,
        "loss": 0.5,
    }


def plain(interval_s: float, feed: list[dict[str, Any]]) -> list[str]:
    file = io.StringIO()
    with Progress(Console(file=file, width=60), interval_s) as progress:
        progress.phase("training", 100)
        for item in feed:
            progress.line(item)
        progress.done("training", 17.6, "validation 97.2 %")
    return file.getvalue().splitlines()


def test_pipe_gets_whole_plain_lines_with_every_figure() -> None:
    lines = plain(0.0, [line(10), {"kind": "validation", "step": 10, "accuracy": 0.912}, line(20)])
    assert lines == [
        "training ...",
        "training  clean  10/100 steps  loss 0.500",
        "training  clean  20/100 steps  8 s left  loss 0.500  validation 91.2 %  640 rows/s",
        "done  training      17.6 s  validation 97.2 %",
    ]


END = {"kind": "stage", "event": "end", "stage": "clean", "step": 1340}
BEST = {"step": 1240, "figure": "accuracy", "value": 0.7512}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"reason": "steps done"}, None),
        ({"reason": "steps done", "best": BEST | {"step": 1340}}, None),
        ({"reason": "accuracy reached 0.9"}, "clean stopped at step 1,340: accuracy reached 0.9"),
        (
            {"reason": "accuracy flat for 5 validations", "best": BEST},
            "clean stopped at step 1,340: accuracy flat for 5 validations; best weights of step 1,240 kept "
            "(accuracy 75.1 %)",
        ),
        (
            {"reason": "steps done", "best": {"step": 900, "figure": "loss", "value": 0.31421}},
            "clean ended at step 1,340; best weights of step 900 kept (loss 0.3142)",
        ),
    ],
    ids=["planned", "last is best", "goal", "plateau", "earlier weights"],
)
def test_how_a_stage_ended_is_said_where_it_is_not_as_planned(found: dict[str, Any], said: str | None) -> None:
    lines = plain(60.0, [line(1340), END | {"event": "begin"}, END | found, line(1341, "pgd")])
    assert lines[1:-1] == ([f"  {said}"] if said else [])
    terminal = io.StringIO()
    with Progress(Console(file=terminal, force_terminal=True, width=200)) as progress:
        progress.phase("training", 100)
        progress.line(END | found)
    assert (f"  {said}\n" in terminal.getvalue()) == bool(said)


def test_uneven_classes_and_one_answer_are_said() -> None:
    found = {"kind": "validation", "accuracy": 0.725, "balanced_accuracy": 0.5, "own_figure": "balanced_accuracy"}
    said = [
        found | {"step": step, "one_answer": answer}
        for step, answer in ((10, "ok"), (20, "ok"), (30, None), (1040, "ok"))
    ]
    lines = plain(0.0, [said[0], line(11), *said[1:]])
    assert lines == [
        "training ...",
        '  validation at step 10: one answer ("ok") for every row',
        "training  clean  11/100 steps  loss 0.500  validation 72.5 %  balanced 50.0 %",
        '  validation at step 1,040: one answer ("ok") for every row',
        "done  training      17.6 s  validation 97.2 %",
    ]


def test_pipe_is_not_flooded() -> None:
    assert len(plain(60.0, [line(step) for step in range(1, 101)])) == 2


def test_terminal_shows_a_moving_line_and_keeps_only_the_last() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, legacy_windows=False, color_system="standard")
    with Progress(console) as progress:
        progress.phase("training", 100)
        progress.line(line(10))
        progress.line(line(50))
        assert progress._live is not None
        progress._live.refresh()
        assert "50/100 steps" in file.getvalue()
        progress.done("training", 5.0)
    kept = file.getvalue().split("training")[-1]
    assert "5.0 s" in kept
    assert "steps" not in kept
    assert file.getvalue().rstrip().endswith("\x1b[2K")  # the moving line is wiped


def test_lines_may_come_from_another_thread() -> None:
    file = io.StringIO()
    with Progress(Console(file=file, force_terminal=True, width=80)) as progress:
        progress.phase("training", 100)
        feed = threading.Thread(target=lambda: [progress.line(line(step)) for step in range(1, 101)])
        feed.start()
        feed.join(10)
        assert not feed.is_alive()
        assert "100/100" in progress.words()


def test_pace_is_that_of_the_present_stage() -> None:
    pace = Pace()
    assert pace.seconds_left(100) is None
    pace.add(line(10))
    pace.add(line(20))
    assert pace.rows_per_second == pytest.approx(640)
    assert pace.seconds_left(100) == pytest.approx(8.0)
    pace.add(line(30, "pgd", 0.4))
    assert pace.rows_per_second is None
    pace.add(line(40, "pgd", 0.4))
    assert pace.rows_per_second == pytest.approx(160)
    assert pace.seconds_left(100) == pytest.approx(24.0)


def test_pace_starts_anew_after_a_resume() -> None:
    pace = Pace()
    pace.add(line(50))
    pace.add(line(20))
    assert pace.rows_per_second is None


def test_the_line_says_which_training_it_is_and_shows_one_at_a_time() -> None:
    file = io.StringIO()
    with Progress(Console(file=file, width=60), 0.0) as progress:
        progress.phase("train", 100)
        progress.begin("")
        progress.line(line(10))
        progress.begin("undefended")
        progress.line(line(5), "undefended")  # beside the other
        stopped = {"kind": "stage", "step": 6, "stage": "clean", "event": "end", "steps": 6, "reason": "accuracy flat"}
        progress.line(stopped, "undefended")
        progress.line(line(20))
        progress.end("")
        assert progress.words() == "train undefended"
        progress.line({**line(40), "total": 50}, "undefended")
        progress.end("undefended")
    assert file.getvalue().splitlines() == [
        "train ...",
        "train  clean  10/100 steps  loss 0.500",
        "  undefended: clean stopped at step 6: accuracy flat",
        "train  clean  20/100 steps  8 s left  loss 0.500  640 rows/s",
        "train undefended  clean  40/50 steps  loss 0.500",
    ]


def test_a_phase_whose_steps_are_known_later_is_told_once() -> None:
    text = io.StringIO()
    with Progress(Console(file=text)) as progress:
        progress.phase("train")
        progress.phase("train", 10)
        progress.phase("evaluate")
    assert text.getvalue().split("\n") == ["train ...", "evaluate ...", ""]
