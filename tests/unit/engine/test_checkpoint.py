"""Checkpoints: whole or absent, in the order of steps."""

from __future__ import annotations

import pytest
import torch

from dsray.base import RequestError
from dsray.engine.checkpoint import checkpoints, latest_checkpoint, load_checkpoint, newest_checkpoint, save_checkpoint


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


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    folder = save_checkpoint(tmp_path, 5, {"w": torch.arange(10.0)}, {"global_step": 5})
    for path in folder.iterdir():
        for position in range(path.stat().st_size):
            flip(path, position)
            with pytest.raises(RequestError, match=r"step-000005 cannot be read \(.*delete it, and --resume goes on"):
                load_checkpoint(folder)
            flip(path, position)
    assert load_checkpoint(folder)[0]["w"].tolist() == list(range(10))


def test_the_newest_sound_one_is_used_and_the_damaged_are_named(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"w": torch.ones(3)}, {"global_step": step}, keep=3)
    for step in (3, 2):
        flip(tmp_path / f"step-00000{step}" / "state.safetensors", -1)
        damaged = [tmp_path / f"step-00000{s}" for s in range(3, step - 1, -1)]
        assert newest_checkpoint(tmp_path) == (tmp_path / f"step-00000{step - 1}", damaged)
    flip(tmp_path / "step-000001" / "sums.json", 20)
    assert newest_checkpoint(tmp_path)[0] is None
    assert len(newest_checkpoint(tmp_path)[1]) == 3


def test_a_new_one_is_kept_and_those_passed_over_go(tmp_path):
    for step in (8, 10):
        flip(save_checkpoint(tmp_path, step, {"w": torch.ones(3)}, {}) / "state.json", 0)
    save_checkpoint(tmp_path, 2, {"w": torch.ones(3)}, {"global_step": 2})
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000002"]


def test_one_of_an_older_version_is_read(tmp_path):
    folder = save_checkpoint(tmp_path, 5, {"w": torch.ones(3)}, {"global_step": 5})
    (folder / "sums.json").unlink()
    assert latest_checkpoint(tmp_path) == folder
    for content in (b'{"global_step": "five"}', b"[]", b"\xff", b"[" * 100_000):
        (folder / "state.json").write_bytes(content)
        assert latest_checkpoint(tmp_path) is None
        with pytest.raises(RequestError, match="cannot be read"):
            load_checkpoint(folder)
