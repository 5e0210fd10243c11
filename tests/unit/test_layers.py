"""The guard of the house: imports point downward, only the runtime knows ray, files stay small."""

from __future__ import annotations

import ast
import os
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "dsray"
LEVELS = [
    "cli __main__",
    "verbs",
    "runtime",
    "sweep",
    "runner",
    "experiment",
    "testing",
    "terminal",
    "report",
    "record",
    "serving",
    "engine",
    "spaces",
    "compress",
    "models attacks augment optim learning parallel",
    "data",
    "targets",
    "inputs",
    "likelihoods",
    "base",
]
"""From the roof down; rooms of one level do not know each other."""
LEVEL = {name: -level for level, names in enumerate(LEVELS) for name in names.split()}
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of everything that is imported anywhere in the tree, inside functions and conditions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: relative imports hide where a name comes from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def faults(own: str, tree: ast.AST) -> list[str]:
    found = []
    for name in sorted(imported(tree)):
        top, *rest = name.split(".")
        if top == "ray" and own != "runtime":
            found.append(f"{own} imports ray")
        if top != "dsray" or not rest or rest[0] in (own, "__version__"):
            continue
        if LEVEL[rest[0]] >= LEVEL[own] and (own, rest[0]) != ("__main__", "cli"):
            found.append(f"{own} (level {LEVEL[own]}) imports {name} (level {LEVEL[rest[0]]})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path):
    assert faults(room(path), ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ("attacks", "from dsray.models import RoutedModel"),
        ("attacks", "def f():\n    import dsray.engine.loop"),
        ("base", "from dsray import experiment"),
        ("engine", "if True:\n    import ray.data"),
        ("runtime", "from dsray.cli import main"),
    ],
)
def test_the_guard_sees(own: str, code: str):
    assert len(faults(own, ast.parse(code))) == 1


def test_every_room_has_a_level():
    assert {room(path) for path in FILES} <= set(LEVEL)


def test_unit_tests_do_not_import_ray():
    guilty = [
        str(path)
        for path in Path(__file__).parent.rglob("*.py")
        if any(
            name.split(".")[0] == "ray" or name.startswith("dsray.runtime")
            for name in imported(ast.parse(path.read_text()))
        )
    ]
    assert guilty == []


def test_files_stay_small():
    lengths = {path: len(path.read_text().splitlines()) for path in FILES}
    assert max(lengths.values()) <= 400, max(lengths, key=lengths.__getitem__)
    assert statistics.median(lengths.values()) <= 200


def markup_by_hand(tree: ast.AST) -> list[str]:
    """The strings that hold an element of HTML, but for docstrings."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in told]
    return [text for text in strings if isinstance(text, str) and re.search(r"(?<!\?P)<[/!]?[a-zA-Z][\w-]*[ />]", text)]


def test_pages_are_templates():
    """Only drawings are put together in Python."""
    code = '"the <b>docs</b>"\npage, rest, less = f"<p class={name}>", "<br/>", "1 < x <= 2 <y"'
    assert markup_by_hand(ast.parse(code)) == ["<br/>", "<p class="]
    drawings = ROOT / "report" / "figures"
    found = {p: markup_by_hand(ast.parse(p.read_text())) for p in FILES if drawings not in p.parents}
    assert {path: strings for path, strings in found.items() if strings} == {}


def test_functions_stay_small():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def concrete_bases(trees: list[ast.AST]) -> list[str]:
    """`Child <- Base` for classes of these files whose base, one of theirs too, is made somewhere: called, or read.

    Exceptions are told apart by inheritance, and are left out.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    classes = {node.name: [named(base) for base in node.bases] for node in nodes if isinstance(node, ast.ClassDef)}
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    made = {named(call) for call in calls}
    made |= {named(c.value) for c in calls if isinstance(c, ast.Attribute) and c.attr.startswith(("model_", "parse"))}

    def raised(name: str) -> bool:
        return name in ("Exception", "BaseException") or any(raised(base) for base in classes.get(name, ()))

    return sorted(
        f"{child} <- {base}"
        for child, bases in classes.items()
        for base in bases
        if base in classes and base in made and not raised(base)
    )


def named(node: ast.expr) -> str:
    """The last word of a class as it is written: `Base` of `module.Base[T]`."""
    return ast.unparse(node).split("[")[0].split(".")[-1]


KNOWN: set[tuple[str, ...]] = set()


def circles(files: dict[str, ast.AST]) -> set[tuple[str, ...]]:
    """The files, by module name, that import each other in a circle: inside functions and for types too."""
    wanted = {
        own: {name if name in files else name.rpartition(".")[0] for name in imported(tree)} & set(files) - {own}
        for own, tree in files.items()
    }

    def reached(start: str) -> set[str]:
        found, left = set(), [start]
        while left:
            found |= (new := wanted[left.pop()] - found)
            left += new
        return found

    within = {name: reached(name) for name in files}
    return {tuple(sorted({a, *(b for b in within[a] if a in within[b])})) for a in files if a in within[a]}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def test_no_circle_of_files():
    files = [ROOT / "__init__.py", *FILES]
    assert circles({module(path): ast.parse(path.read_text()) for path in files}) - KNOWN == set()


@pytest.mark.parametrize(
    "back",
    ["from p.a import x", "import p.a", "def f():\n    from p import a", "if TYPE_CHECKING:\n    from p.a import X"],
)
def test_the_guard_sees_a_circle(back: str):
    files = {"p": "", "p.a": "from p.b import y", "p.b": "from p.c import z", "p.c": back, "p.d": "import p.a"}
    assert circles({name: ast.parse(code) for name, code in files.items()}) == {("p.a", "p.b", "p.c")}
    assert circles({name: ast.parse(code) for name, code in (files | {"p.c": ""}).items()}) == set()


def test_a_class_is_abstract_or_final():
    """What is inherited from has no instances of its own, so that nobody overrides what somebody runs."""
    assert concrete_bases([ast.parse(path.read_text()) for path in FILES]) == []


@pytest.mark.parametrize("made", ["Base()", "module.Base(1)", "Base.model_validate({})", "x: Base = Base[int]()"])
def test_the_guard_sees_a_base_that_is_made(made: str):
    files = ["class Base:\n    pass", f"from a import Base\nclass Child(Base[int]):\n    pass\n{made}"]
    assert concrete_bases([ast.parse(code) for code in files]) == ["Child <- Base"]
    assert concrete_bases([ast.parse(code.replace(made, "Child()")) for code in files]) == []


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_library_works_without_ray():
    """Everything but the runtime: `--local` runs, Python users and the artefact need no ray."""
    rooms = sorted(name for name, level in LEVEL.items() if level < LEVEL["runtime"])
    names = ", ".join(f"dsray.{name}" for name in rooms)
    assert python(f"import sys; sys.modules['ray'] = None; import {names}; print('ok')") == "ok"


def test_import_loads_neither_torch_nor_ray():
    code = "import dsray, sys; print(sorted({'torch', 'ray', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert python(code) == "[]"


def test_names_of_the_package_are_not_shadowed_by_its_files():
    """`dsray.run` must be the function also after a file of the package was imported that needs the one it is in."""
    names = "import dsray; print(*(getattr(dsray, name).__name__ for name in dsray.__all__ * 2))"
    for before in ("", "import dsray.verbs.tune; "):
        done = subprocess.run([sys.executable, "-c", before + names], capture_output=True, text=True)
        assert done.stdout.split() == ["Experiment", "Record", "run"] * 2


def test_import_is_quick():
    code = "import time; t = time.perf_counter(); import dsray; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.3


def test_check_takes_less_than_twice_what_torch_takes_to_load_and_is_quiet():
    """Seconds of the processor, since other processes share the machine; with compiled files, as on every second call."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT.parent, env=environment, capture_output=True, text=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    check = "from dsray.cli import main; main(['check', 'jobs/experiments/quickstart.yaml'])"
    assert any(seconds(check) < 2 * seconds("import torch") for _ in range(4))
