"""What a row was made from: digests of the experiment files that it ran and of the source that measured it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.harness.benchmark import ROOT
from dsray.experiment.experiment import read_tree

SPEAKING = ("summary", "table")
"""Methods that only speak of rows: other words for a figure do not make it another one."""


def digest_of_experiments(files: Iterable[Path]) -> str:
    """Of what the files say, those that they extend included; comments and layout do not count."""
    return _digest(json.dumps([read_tree(path) for path in files], sort_keys=True, default=str))


def digest_of_source(file: Path, root: Path = ROOT) -> str:
    """Of the file of a benchmark, but for its `SPEAKING` methods, and of what it imports from `benchmarks/`.

    `benchmarks/harness` does not count, which keeps rows and measures none; nor does `dsray`, whose commit is in the row.
    """
    found: dict[Path, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
            found[path] = _without_speaking(text, tree)
            waiting += _imported(tree, root)
    return _digest(json.dumps([found[path] for path in sorted(found)]))


def _without_speaking(text: str, tree: ast.Module) -> str:
    """By lines and not by the parsed tree, which each Python writes differently."""
    left_out: set[int] = set()
    for cls in tree.body:
        for node in cls.body if isinstance(cls, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and node.name in SPEAKING:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                left_out |= set(range(first, (node.end_lineno or first) + 1))
    lines = enumerate(text.splitlines(), 1)
    return "\n".join(line for number, line in lines if number not in left_out and line.strip())


def _imported(tree: ast.Module, root: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            path = root.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("benchmarks.") and not name.startswith("benchmarks.harness") and path.exists():
                yield path


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
