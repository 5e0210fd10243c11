"""`python -m benchmarks NAME [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import Any

NAMES = {"chain": False, "damage": True}
"""Whether a benchmark goes on with the rows that its file holds already."""


def main() -> None:
    """Run one benchmark and print its rows and summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="one seed, fewer rows; for a first look")
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()

    def save(found: dict[str, Any]) -> None:
        if arguments.json:
            aside = arguments.json.with_suffix(".tmp")
            aside.write_text(json.dumps(found, indent=1) + "\n")
            aside.replace(arguments.json)

    there = arguments.json is not None and arguments.json.exists() and NAMES[arguments.name]
    earlier = {"earlier": json.loads(arguments.json.read_text())} if there else {}
    found = import_module(f"benchmarks.{arguments.name}").measure(save, quick=arguments.quick, **earlier)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
