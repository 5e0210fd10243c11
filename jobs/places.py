"""Where the record of a job goes: never into the job's package folder, which is deleted with the job."""

import os
from pathlib import Path


def with_record_outside(words: list[str]) -> list[str]:
    """The command line with an `--out` in $DSRAY_RUNS or ~/dsray-runs, unless one is given; it is printed."""
    if "--out" in words:
        out = Path(words[words.index("--out") + 1])
    else:
        root = Path(os.environ.get("DSRAY_RUNS", Path.home() / "dsray-runs"))
        root.mkdir(parents=True, exist_ok=True)
        stem = next((Path(word).stem for word in words if word.endswith((".yaml", ".yml"))), "run")
        names = (stem if i == 1 else f"{stem}-{i}" for i in range(1, 10_000))
        out = next(root / name for name in names if not (root / name).exists())
        words = [*words, "--out", str(out)]
    print(f"record: {out.absolute()}", flush=True)
    return words
