"""A disk that takes no more: one sentence, what was finished is kept, and with room again the run ends as any other.

The disk is a limit on the size of files, which holds for root too.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from safetensors import SafetensorError

import dsray as package
from dsray.base import RequestError
from dsray.base.disk import refusal
from dsray.base.folders import replacing_folder
from dsray.record import Record

SMALL = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {
        "steps": 40,
        "batch": 16,
        "optimizer": {"kind": "sgd"},  # a checkpoint is as small as the model
        "log_every": 1,
        "checkpoint_every": 10,
        "validate_every": 20,
    },
    "adversarial": {"judge": {"rows": 20, "curve": [], "attacks": [{"kind": "fgsm"}]}},
    "compress": {"max_loss_points": 100, "max_adversarial_loss_points": 100},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An undisturbed run, which also leaves the prepared rows."""
    folder = tmp_path_factory.mktemp("disk")
    (folder / "x.yaml").write_text(yaml.safe_dump(SMALL))
    package.run(folder / "x.yaml", out=folder / "straight", local=True)
    return folder


def dsray(*words, limit: int | None = None) -> tuple[int, str]:
    """Exit status and what was said on standard error. limit: bytes of the largest file that may be written."""

    def full() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "dsray", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120, preexec_fn=full,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.returncode, done.stderr


def size(path: Path) -> int:
    return path.stat().st_size


def states(out: Path) -> dict[str, str]:
    return json.loads((out / "status.json").read_text())["steps"]


def resumed(folder: Path, out: Path, *words) -> None:
    package.run(folder / "x.yaml", *words, out=out, resume=True, local=True)
    assert Record.open(out).status["state"] == "done"


def forget(out: Path, *steps: str) -> None:
    """As if the run had ended before these steps."""
    record = Record.open(out)
    status = record.read_json("status.json")
    left = {name: state for name, state in status["steps"].items() if name not in steps}
    record.write_json("status.json", {**status, "steps": left})


def same_figures(folder: Path, out: Path) -> bool:
    return (out / "metrics.json").read_bytes() == (folder / "straight" / "metrics.json").read_bytes()


def test_the_history_takes_no_more(folder):
    out = folder / "history"
    # some 290 bytes a step; a checkpoint has 39,000
    steps = [
        "train.steps=200",
        "train.validate_every=100",
        *(f"model.encoders.{name}.width=16" for name in ("image", "text")),
    ]
    code, said = dsray("run", folder / "x.yaml", *steps, "--local", "--out", out, limit=45_000)
    assert code == 1, said
    reached = max(int(path.name[5:]) for path in (out / "checkpoints").iterdir())
    assert 50 < reached < 190
    line = f"python -m dsray run {folder}/x.yaml {' '.join(steps)} --local --out {out} --resume"
    start = f"error: {out}/history.jsonl: File too large; kept: the training up to step {reached}; allow larger files, "
    assert said.startswith(start) and said.rstrip().endswith(line) and said.count("\n") == 1
    assert states(out) == {"train": "failed"}
    assert "File too large" in Record.open(out).status["error"]
    resumed(folder, out, *steps)
    package.run(folder / "x.yaml", *steps, out=folder / "long", local=True)
    assert (out / "metrics.json").read_bytes() == (folder / "long" / "metrics.json").read_bytes()


@pytest.mark.parametrize(
    ("file", "step", "kept"),
    [
        ("checkpoints/step-000040/state.safetensors", "train", "nothing was finished yet"),
        ("compressed/model.onnx", "compress", "kept: train, evaluate, attack"),
        ("report.html", None, "kept: train, evaluate, attack, compress, answer"),
    ],
)
def test_a_step_that_cannot_be_written(folder, file, step, kept):
    out = folder / f"run-{step}"
    sizes = {path: size(path) for path in (folder / "straight").rglob("*") if path.is_file()}
    limit = sizes[folder / "straight" / file] - 1000  # figures of a report have more or fewer digits
    words = ["run", folder / "x.yaml", "--local", "--out", out]
    if step != "train":  # what is larger is there already
        shutil.copytree(folder / "straight", out)
        if step:
            forget(out, step, "answer")
        words.append("--resume")
    code, said = dsray(*words, limit=limit)
    assert code == 1, said
    assert f": File too large; {kept}; allow larger files, then go on with: " in said
    where = tempfile.gettempdir() if step == "compress" else out
    assert said.startswith(f"error: {where}") and said.count("\n") == 1
    assert Record.open(out).status["state"] == "failed"
    assert step is None or states(out)[step] == "failed"
    resumed(folder, out)
    assert same_figures(folder, out)


@pytest.mark.parametrize("verb", ["attack", "compress"])
def test_a_verb_that_cannot_write_leaves_the_run_as_it_was(folder, verb):
    run = folder / "straight"
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code, said = dsray(verb, run, "--local", limit=100)
    assert code == 1, said
    where = run if verb == "attack" else tempfile.gettempdir()
    assert said.startswith(f"error: {where}") and said.count("\n") == 1
    assert (
        "File too large; kept: train, evaluate, attack, compress, answer; allow larger files, then go on with: " in said
    )
    assert said.rstrip().endswith(f"python -m dsray {verb} {run} --local")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == kept


def test_a_record_that_cannot_even_be_begun_leaves_nothing(folder):
    code, said = dsray("run", folder / "x.yaml", "--local", "--out", folder / "none", limit=100)
    assert code == 1
    assert said == f"error: {folder / 'none' / 'sums.json'}: File too large; allow larger files, and try again\n"
    assert not (folder / "none").exists()


FULL_FROM = """
import resource, sys
import dsray
from dsray.runner.watch import RunWatch
line = RunWatch.line
def full(self, training, found):
    line(self, training, found)
    if found["step"] == 25:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
RunWatch.line = full
dsray.run(sys.argv[1], out=sys.argv[2], local=True)
"""


def test_a_disk_that_takes_not_even_the_failure(folder):
    out = folder / "full"
    done = subprocess.run(
        [sys.executable, "-c", FULL_FROM, str(folder / "x.yaml"), str(out)], capture_output=True, text=True, timeout=120
    )
    assert "RunFailure" in done.stderr.splitlines()[-1]
    assert (
        f"{out}/" in done.stderr
        and "kept: the training up to step 20; allow larger files, then resume it" in done.stderr
    )
    assert json.loads((out / "status.json").read_text())["state"] == "running"  # nothing could be written any more
    assert Record.open(out).status["state"] == "interrupted"
    resumed(folder, out)
    assert same_figures(folder, out)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EROFS, "Read-only file system"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
        RuntimeError("Load model from x failed: system error number 28"),
        pickle.loads(pickle.dumps(OSError(errno.EFBIG, "File too large", "a"))),
    ],
    ids=repr,
)
def test_a_refusal_is_known_by_what_libraries_make_of_it(error):
    found = refusal(error)
    if "system error" in str(error):
        assert found is None  # no words of a disk
        return
    assert found is not None and found.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = error
    assert refusal(wrapped).errno == found.errno


def test_a_sentence_that_was_made_already_is_left_as_it_is():
    told = RequestError("data: cannot read a.parquet")
    told.__cause__ = PermissionError(errno.EACCES, "Permission denied", "a.parquet")
    assert refusal(told) is None
    assert refusal(ValueError("x")) is None
    assert refusal(FileNotFoundError(errno.ENOENT, "No such file", "a")) is None


def _parquet(path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(100_000))}), path)


def _tensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(100_000)}, path)


def _onnx(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    weights = numpy_helper.from_array(np.zeros(100_000, np.float32), "a")
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], [weights])), str(path))


@pytest.mark.parametrize("write", [_parquet, _tensors, _onnx])
def test_the_real_libraries_name_the_file_that_people_know(tmp_path, write):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with (
            pytest.raises(OSError, match=rf"File too large.*{tmp_path}/final") as caught,
            replacing_folder(tmp_path / "final") as aside,
        ):
            write(aside / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert not (tmp_path / "final").exists()
