"""Checkpoints: whole or absent, in the order of steps."""

from __future__ import annotations

import pytest
import torch

from dsray.base import RequestError
from dsray.checkpoint import checkpoints, latest_checkpoint, load_checkpoint, save_checkpoint


def test_the_newest_is_the_one_with_the_most_steps_however_many_digits_it_has(tmp_path):
    for step in (999_600, 999_800, 1_000_000):
        folder = save_checkpoint(tmp_path, step, {"w": torch.ones(2) * step}, {"step": step})
        assert latest_checkpoint(tmp_path) == folder
    assert [load_checkpoint(path)[1]["step"] for path in checkpoints(tmp_path)] == [999_800, 1_000_000]


def test_a_step_saved_again_replaces_what_was_there(tmp_path):
    for value in (1.0, 2.0):
        save_checkpoint(tmp_path, 5, {"w": torch.tensor([value])}, {})
    assert load_checkpoint(tmp_path / "step-000005")[0]["w"].item() == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["step-000005"]


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
def test_a_torn_file_is_named_with_what_to_do(tmp_path, name):
    folder = save_checkpoint(tmp_path, 5, {"w": torch.ones(100)}, {"step": 5})
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match=r"step-000005 cannot be read .*delete it"):
        load_checkpoint(folder)
