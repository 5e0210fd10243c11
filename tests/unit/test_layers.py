"""The guard of the house: imports point downward, and only the runtime knows ray."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "dsray"
LEVELS = {
    0: "base batch noise schedules schema protocols overrides",
    1: "models augment attacks optim learning parallel compress data",
    2: "engine sections checkpoint",
    3: "experiment report testing training judge placement serving tuning plan starters predict doctor console",
    4: "runtime",
    5: "run steps verbs sweep",
    6: "cli",
}
LEVEL = {name: level for level, names in LEVELS.items() for name in names.split()}
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path):
    own = room(path)
    for module in imported(path):
        parts = module.split(".")
        if parts[0] == "ray":
            assert own == "runtime", f"{path} imports ray"
        if parts[0] != "dsray" or len(parts) == 1 or parts[1] == own:
            continue
        below = LEVEL[parts[1]] < LEVEL[own]
        beside = LEVEL[parts[1]] == LEVEL[own] and LEVEL[own] != 1
        assert below or beside, f"{path} (level {LEVEL[own]}) imports {module} (level {LEVEL[parts[1]]})"


def test_files_stay_small():
    lengths = {path: len(path.read_text().splitlines()) for path in FILES}
    assert max(lengths.values()) <= 400, max(lengths, key=lengths.__getitem__)
    assert statistics.median(lengths.values()) <= 200


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_library_works_without_ray():
    code = "import sys; sys.modules['ray'] = None; import dsray.engine, dsray.models, dsray.attacks; print('ok')"
    assert python(code) == "ok"


def test_import_loads_neither_torch_nor_ray():
    assert python("import dsray, sys; print('torch' in sys.modules or 'ray' in sys.modules)") == "False"
