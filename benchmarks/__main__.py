"""`python -m benchmarks NAME [--quick] [--json FILE]` measures; `python -m benchmarks table [--check]` writes the README."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.harness.benchmark import NAMES, ROOT, benchmark
from benchmarks.harness.measuring import measure_missing
from benchmarks.harness.results import FOLDER, Results
from benchmarks.harness.tables import write_tables
from dsray.base import DsrayError
from dsray.record.lock import Lock


def main(words: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 a table differs, 2 the request was wrong, 130 interrupted."""
    arguments = _parser().parse_args(words)
    try:
        if arguments.name == "table":
            return _table(arguments.check)
        return _measure(arguments.name, arguments.quick, arguments.json, arguments.again)
    except DsrayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the rows that were finished are kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        one = names.add_parser(name, help=f"measure what is missing of {name}.json and print its summary")
        one.add_argument("--quick", action="store_true", help="fewer rows, at most 8 minutes; kept only with --json")
        one.add_argument("--json", type=Path, help="where rows are kept; benchmarks/results/NAME.json unless --quick")
        one.add_argument("--again", action="store_true", help="take every row that is there for stale")
    table = names.add_parser("table", help="make the tables of the README from the result files")
    table.add_argument("--check", action="store_true", help="only compare: exit status 1 where they differ")
    return parser


def _measure(name: str, quick: bool, file: Path | None, again: bool) -> int:
    path = file or (None if quick else FOLDER / f"{name}.json")
    if path is None:
        return _go_on(Results(name, benchmark(name, quick), None))
    path.parent.mkdir(parents=True, exist_ok=True)
    with Lock(path.parent, f".{path.name}.lock"):
        return _go_on(Results(name, benchmark(name, quick), path, again=again))


def _go_on(results: Results) -> int:
    measure_missing(results)
    print(json.dumps(results.benchmark.summary(results.figures), indent=1))
    return 0


def _table(check: bool) -> int:
    differing = write_tables(check=check)
    for name in differing:
        said = "differs from its result file; run python -m benchmarks table" if check else "written"
        print(f"README.md: table {name} {said}", file=sys.stderr)
    return 1 if check and differing else 0


if __name__ == "__main__":
    # Ray's workers too import this tree, whichever one is installed
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    sys.exit(main())
