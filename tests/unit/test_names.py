"""Who may know what: balls belong to threats, and rooms that move inputs do not name one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "dsray"
THREATS = ROOT / "attacks" / "threats"
WITHOUT_INPUTS = ("attacks", "engine", "runner")
"""Rooms that ask the schema and the threat what is moved."""
OF_IMAGES = {
    "attacks/checks.py": "what is said of the arguments of `robust_accuracy`, which are images and labels",
}
CLIPS = {"clamp", "clamp_", "clip", "clip_", "sign", "sign_", "clip_by_norm", "renorm"}
RADII = {"epsilon", "epsilons", "radius", "eps"}


def python(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def names(node: ast.AST) -> set[str]:
    """All variables, attributes and keywords in a piece of code."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    found |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    return found | {n.arg for n in ast.walk(node) if isinstance(n, ast.keyword) and n.arg}


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements that hold no others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not any(
            isinstance(child, ast.stmt) for child in ast.walk(node) if child is not node
        ):
            yield node


def balls(tree: ast.AST) -> list[int]:
    """Lines in which something is clipped, or a sign taken, with a radius in the same statement."""
    return [
        statement.lineno
        for statement in statements(tree)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in CLIPS
        and names(statement) & RADII
    ]


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of the nodes that are bare strings: docstrings of modules, classes, functions and constants."""
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def named(tree: ast.AST, word: str) -> list[int]:
    """Lines of the code, docstrings apart, that name `word`: as a string, a part of one, a variable or an attribute."""
    said = docstrings(tree)
    found = []
    for node in ast.walk(tree):
        text = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            text = node.value.replace(".", " ").replace("_", " ").split()
        elif isinstance(node, ast.Name):
            text = node.id.split("_")
        elif isinstance(node, ast.Attribute):
            text = node.attr.split("_")
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            text = node.arg.split("_")
        if text and word in text:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", python(""), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_threats_clip_to_a_ball(path: Path):
    if THREATS not in path.parents:
        assert balls(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("path", python(*WITHOUT_INPUTS), ids=lambda p: str(p.relative_to(ROOT)))
def test_what_moves_inputs_names_none(path: Path):
    found = named(ast.parse(path.read_text()), "image")
    assert bool(found) == (str(path.relative_to(ROOT)) in OF_IMAGES), found


def test_threats_clip():
    """What the guard looks for is there."""
    assert sum(len(balls(ast.parse(path.read_text()))) for path in THREATS.rglob("*.py")) >= 2


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("y = torch.clamp(x, clean - epsilon, clean + epsilon)", [1]),
        ("y = (x - clean).clip(-self.epsilon, self.epsilon)", [1]),
        ("if a:\n    y = x + epsilon * gradient.sign()", [2]),
        ("def f(epsilon):\n    return np.clip(x, 0, 1)", []),
        ("y = x.clamp(0, 1)", []),
    ],
)
def test_the_guard_of_balls_sees(code: str, lines: list[int]):
    assert balls(ast.parse(code)) == lines


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('x = batch.inputs["image"]', [1]),
        ('x = data.columns["present.image"]', [1]),
        ("x = schema.image", [1]),
        ("f(image=1)", [1]),
        ("image_gradient(x)", [1]),
        ('raise E(f"no {x} has an image to move")', [1]),
        ('"""An image."""\nimages = "images"', []),
    ],
)
def test_the_guard_of_names_sees(code: str, lines: list[int]):
    assert named(ast.parse(code), "image") == lines
