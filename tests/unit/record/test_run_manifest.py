"""The manifest names what is needed to repeat a run and nothing about who ran it."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from dsray.record.manifest import git_commit, make_manifest


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_versions_seed_command_and_data() -> None:
    data = {"fingerprint": "abc", "rows": {"train": 10}, "source": "digits"}
    manifest = make_manifest({"name": "q", "seed": 7}, ["dsray", "run", "q.yaml"], ["a.b=1"], data)
    assert manifest["format"] == 1
    assert (manifest["name"], manifest["seed"]) == ("q", 7)
    assert manifest["versions"]["torch"] == version("torch")
    assert manifest["versions"].keys() == {"torch", "ray", "numpy", "onnxruntime", "pyarrow", "optuna"}
    assert manifest["command"] == ["dsray", "run", "q.yaml"]
    assert manifest["data"] == data
    assert manifest["host"].keys() == {"cpus", "memory_gib", "platform", "gpu"}
    assert manifest["host"]["cpus"] >= 1
    assert manifest["host"]["memory_gib"] > 0.1


def test_names_neither_host_nor_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = json.dumps(make_manifest({"name": "q", "seed": 7}, ["dsray", "run"], [], {}))
    assert str(tmp_path) not in text
    assert socket.gethostname() not in text or len(socket.gethostname()) < 4
    assert f"/{getpass.getuser()}/" not in text


def test_commit_is_marked_when_tracked_files_differ(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert git_commit(tmp_path) is None
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").write_text("2")
    assert git_commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert git_commit(tmp_path) == f"{head}+dirty"


def test_record_report_and_events_are_written_without_heavy_imports() -> None:
    code = (
        "import sys, dsray.record.record, dsray.record.manifest, dsray.report.html, dsray.record.sinks.tensorboard;"
        "print([m for m in ('ray', 'torch', 'tensorflow', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
