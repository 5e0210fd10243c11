"""What the README tells a newcomer to type is what CI runs, word for word, and what the Makefile knows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, CI, MAKEFILE = ((ROOT / name).read_text() for name in ("README.md", ".ci/run", "Makefile"))


def test_ci_runs_the_two_commands():
    section = README.partition("## Two commands")[2].partition("\n## ")[0]
    commands = re.findall(r"```sh\n(.*?)\n```", section, re.S)
    assert commands == ["make run", "make test"]
    assert all(f'"{command}"' in CI for command in commands)


def test_every_target_that_is_named_exists():
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.M))
    texts = [README, CI, *((ROOT / name).read_text() for name in ("CONTRIBUTING.md", "ARCHITECTURE.md"))]
    named = {target for text in texts for target in re.findall(r"[`\"\n]make ([a-z-]+)", text)}
    assert {"run", "test", "check"} <= named <= targets


def test_every_file_that_the_commands_name_exists():
    files = set(re.findall(r"(?:jobs|clusters|tests|benchmarks)/[\w/.-]+\w", README))
    assert files
    assert [name for name in sorted(files) if not (ROOT / name).exists()] == []
