"""Where the record of a job goes: never into the job's package folder, which is deleted with the job."""

import os
from collections.abc import Iterator
from pathlib import Path


def with_record_outside(words: list[str]) -> list[str]:
    """The command line with an absolute `--out`, which is printed.

    Records lie in $DSRAY_RUNS (default ~/dsray-runs): under the name of the experiment file, with a number where it is
    taken, or under a relative `--out`. An absolute one is kept. `--resume` alone goes on with the newest of the name.
    """
    root = Path(os.environ.get("DSRAY_RUNS") or Path.home() / "dsray-runs").absolute()
    given, rest = _split(words)
    if given is None:
        stem = next((Path(word).stem for word in rest if word.endswith((".yaml", ".yml"))), "run")
        given = _newest(root, stem) if "--resume" in rest else _free(root, stem)
    out = root / given
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"record: {out}", flush=True)
    return [*rest, "--out", str(out)]


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """The value of the last `--out DIR` or `--out=DIR`, and the other words."""
    given, rest, left = None, [], iter(words)
    for word in left:
        if word == "--out":
            given = next(left, None)
        elif word.startswith("--out="):
            given = word.removeprefix("--out=")
        else:
            rest.append(word)
    return given, rest


def _names(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _free(root: Path, stem: str) -> str:
    return next(name for name in _names(stem) if not (root / name).exists())


def _newest(root: Path, stem: str) -> str:
    newest = stem
    for name in _names(stem):
        if not (root / name).exists():
            return newest
        newest = name
    return newest
