"""Who may know what: balls belong to threats, a kind of input or target is named by what belongs to it alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from dsray import likelihoods
from dsray.targets import TARGET_SPECS, TARGETS

ROOT = Path(__file__).parents[2] / "dsray"
THREATS = ROOT / "attacks" / "threats"
KNOW_INPUTS = {
    "inputs": "each kind is a file there",
    "models/encoders": "an encoder reads one kind",
    "augment/gaussian_noise.py": "an operation changes one kind",
    "augment/shift.py": "an operation changes one kind",
    "data/sources": "a source says what its columns hold",
    "verbs/init.py": "starters are written for a kind",
    "testing/subjects.py": "the example that plug-ins of other kinds are tried on",
}
"""The files that may name a kind of input."""
ALLOWED = {
    "attacks/judging.py: images": "the arguments of the public `robust_accuracy` are called images and labels",
    "attacks/judging.py: image": "one of them, in its errors",
    "cli.py: vision, text or multimodal": "the names of starters",
    "targets/classlabel.py: elsewhere; a number may be meant as either, so write the names as text": "the type of a column",
    "data/tables.py: ; needs numbers or text": "the type of a column",
    "engine/rows.py: values of `column`, as text": "the type of a value",
    "report/charts/frame.py: text": "an element of SVG",
    "report/charts/frame.py: text_anchor": "an attribute of SVG",
}
"""What names none, though it looks so: `file: what was found`, and why."""
KNOW_TARGETS = {
    "targets": "each kind is a file there",
    "likelihoods": "each kind is a file there",
    "models/heads": "a head may be one of a kind",
}
"""The files that may name a kind of target, or take a model's answer from its logits."""
ALLOWED_OF_TARGETS = {
    "attacks/losses.py: Classes": "the public losses are those of a model that came from anywhere",
    "data/schema.py: compares with classes": "a schema of 0.3 and before, which knew no others",
    "data/schema.py: kind classes": "what such a schema is read as",
    "inputs/vocabulary.py: argmax()": "of words, not of logits",
    "models/attention.py: softmax()": "of the scores of keys",
    "models/experts.py: sigmoid()": "of the affinity of experts",
    "runner/evaluate.py: argmax()": "of how many inputs a row has",
}
"""What names none, though it looks so, or needs to: `file: what was found`, and why."""
OF_LOGITS = re.compile(
    r"(arg(max|min)|log_?(softmax|sigmoid|sumexp)|softmax|sigmoid|kl_div|(nll|bce|mse|l1)_loss|cross_entropy"
    r"|(binary|sigmoid)_\w*entropy\w*)_?"
)
"""Functions by which a likelihood reads logits."""
MEDIA = re.compile(r"\b(image|text)/[a-z(]")
CLIPS = {"clamp", "clamp_", "clip", "clip_", "sign", "sign_", "clip_by_norm", "renorm"}
RADII = {"epsilon", "epsilons", "radius", "eps"}
WRITTEN = sorted(path for kind in ("html", "js") for path in ROOT.rglob(f"*.{kind}"))
"""Templates and scripts of pages."""


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


def named(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, what was found) wherever the code, docstrings apart, names the kind image or text.

    Strings: `image`, `images`, `text` and `texts` as a word or a part of a path (`present.image`, `text_length`), but not
    as a media type. Identifiers, of variables, arguments, keywords, attributes, imports, functions and classes: `image`
    and `images` as any part, `text` and `texts` as the first of several parts (`text_length`, `TextSpec`) and, where it
    is what an object or a call has under that name, alone (`schema.text`, `f(text=1)`). Otherwise a text is what it
    is in Python, a string of characters: the variable `text`, `write_text`, `Text` of rich.
    """
    said = docstrings(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            words = re.findall(r"[a-z]+", MEDIA.sub("", re.sub(r"\b\w+_text\b", "", node.value.lower())))
            if {"image", "images", "text", "texts"} & set(words):
                found.append((node.lineno, node.value.strip()))
        for name, alone in identifiers(node):
            parts = re.findall(r"[A-Z]?[a-z]+", name)
            words = [part.lower() for part in parts]
            first = words and words[0] in ("text", "texts") and not name.startswith("_")
            if {"image", "images"} & set(words) or (first and (len(words) > 1 or (alone and parts[0].islower()))):
                found.append((getattr(node, "lineno", 0), name))
    return found


def identifiers(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The names in a node, and whether each is what an object or a call has under that name."""
    match node:
        case ast.Name():
            yield node.id, False
        case ast.Attribute():
            yield node.attr, True
        case ast.keyword(arg=str(name)):
            yield name, True
        case ast.arg() | ast.FunctionDef() | ast.ClassDef() | ast.alias():
            yield node.arg if isinstance(node, ast.arg) else node.name, False


def knows_inputs(path: Path) -> bool:
    return within(path, KNOW_INPUTS)


def within(path: Path, rooms: Collection[str]) -> bool:
    relative = path.relative_to(ROOT)
    return any(str(parent) in rooms for parent in (relative, *relative.parents))


def classes_of_targets() -> set[str]:
    """Configs and specs of the kinds of target that dsray has."""
    return {member.__name__ for union in (TARGETS, TARGET_SPECS) for member in union.members.values()}


def of_likelihoods() -> set[str]:
    """Their likelihoods, whose names are words that mean something else elsewhere."""
    return {name for name, value in vars(likelihoods).items() if isinstance(value, type)} - {"Likelihood"}


def targets_named(tree: ast.AST) -> list[str]:
    """What in the code knows a kind of target: a comparison with it, a `kind` that is it, one of its classes, `.classes` or
    `.labels` of anything but self, and a call of what makes an answer, or a loss, of logits."""
    own, found = classes_of_targets(), []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if OF_LOGITS.fullmatch(name):
                found.append(f"{name}()")
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if name in own:
                found.append(name)
            case ast.ImportFrom(module=str(room)) if room.startswith("dsray.likelihoods"):
                found += [alias.name for alias in node.names if alias.name in of_likelihoods()]
            case ast.Attribute(value=ast.Name(id="self")):
                pass
            case ast.Attribute(attr="classes" | "labels" as name):
                found.append(f".{name}")
            case ast.Compare():
                said = [part.value for part in (node.left, *node.comparators) if isinstance(part, ast.Constant)]
                found += [f"compares with {kind}" for kind in said if kind in TARGETS.members]
            case ast.MatchValue(value=ast.Constant(value=kind)) if kind in TARGETS.members:
                found.append(f"compares with {kind}")
            case ast.Dict():
                pairs = [(k.value, v.value) for k, v in zip(node.keys, node.values, strict=True) if constants(k, v)]
                found += [f"kind {kind}" for key, kind in pairs if key == "kind" and kind in TARGETS.members]
    return found


def constants(*nodes: ast.AST | None) -> bool:
    return all(isinstance(node, ast.Constant) for node in nodes)


@pytest.mark.parametrize("path", python(""), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_threats_clip_to_a_ball(path: Path):
    if THREATS not in path.parents:
        assert balls(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("path", python(""), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_kind_of_input_is_named_in_its_own_files_alone(path: Path):
    if not knows_inputs(path):
        found = [f"{path.relative_to(ROOT)}: {what}" for _, what in named(ast.parse(path.read_text()))]
        assert [what for what in found if what not in ALLOWED] == []


@pytest.mark.parametrize("path", python(""), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_kind_of_target_is_known_by_its_own_files_alone(path: Path):
    if not within(path, KNOW_TARGETS):
        found = [f"{path.relative_to(ROOT)}: {what}" for what in targets_named(ast.parse(path.read_text()))]
        assert [what for what in found if what not in ALLOWED_OF_TARGETS] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_page_names_a_kind_of_input(path: Path):
    """In what a template or a script says, and in the names that it asks for; `text` alone is a string there too."""
    code = MEDIA.sub("", re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL))
    assert re.findall(r"\bimages?\b|\.text\b|['\"]texts?['\"]|\btexts\b", code) == []


def test_what_is_allowed_is_there():
    """A line that is no longer needed goes; a file that may name kinds does so."""
    found = {
        f"{path.relative_to(ROOT)}: {what}" for path in python("") for _, what in named(ast.parse(path.read_text()))
    }
    assert set(ALLOWED) <= found
    for room in KNOW_INPUTS:
        assert any(what.startswith(room) for what in found), room


def test_what_is_allowed_of_targets_is_there():
    found = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in python("")
        for what in targets_named(ast.parse(path.read_text()))
    }
    assert set(ALLOWED_OF_TARGETS) <= found
    for room in ("targets", "likelihoods"):
        assert any(what.startswith(room) for what in found), room


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
    ("code", "found"),
    [
        ('x = batch.inputs["image"]', ["image"]),
        ('x = data.columns["present.image"]', ["present.image"]),
        ('x = data.columns["present.text"]', ["present.text"]),
        ("x = schema.image", ["image"]),
        ("x = schema.text", ["text"]),
        ("f(image=1, text=2)", ["image", "text"]),
        ("image_gradient(x)", ["image_gradient"]),
        ("from dsray.inputs import TextSpec", ["TextSpec"]),
        ("text_length, clean_images = 1, 2", ["text_length", "clean_images"]),
        ('raise E(f"no {x} has an image to move")', ["has an image to move"]),
        ('"""An image."""\nmedia = ["image/png", "text/plain"]', []),
        ("from rich.text import Text\ntext = path.read_text()\npath.write_text(Text(text))", []),
    ],
)
def test_the_guard_of_names_sees(code: str, found: list[str]):
    assert [what for _, what in named(ast.parse(code))] == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("answer = logits.argmax(-1)", ["argmax()"]),
        ("loss = F.cross_entropy(logits, batch.target)", ["cross_entropy()"]),
        ("p = torch.softmax(logits, -1)", ["softmax()"]),
        ("p = sigmoid(logits)", ["sigmoid()"]),
        ("logits.log_softmax(-1).gather(1, target)", ["log_softmax()"]),
        ("from dsray.targets import ClassesSpec", ["ClassesSpec"]),
        ("from dsray.likelihoods import Likelihood, Number", ["Number"]),
        ("Number = Callable[[int], float]", []),
        ("if isinstance(spec, ClassesSpec): pass", ["ClassesSpec"]),
        ("n = len(schema.target.classes)", [".classes"]),
        ("n = spec.labels", [".labels"]),
        ('if target.kind == "classes": pass', ["compares with classes"]),
        ('match kind:\n    case "classes":\n        pass', ["compares with classes"]),
        ('schema = {"kind": "classes", "column": "y"}', ["kind classes"]),
        ('"""Of classes, by softmax(logits)."""\nname = "softmax"', []),
        ("rows = self.classes\nbest = max(figures)\nright = ~likelihood.wrong(logits, target)", []),
        ('loss = "cross_entropy"', []),
    ],
)
def test_the_guard_of_targets_sees(code: str, found: list[str]):
    assert targets_named(ast.parse(code)) == found
