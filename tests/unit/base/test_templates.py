"""Templates write values as text, and say at once what is not there."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dsray.base.templates import Templates, printable


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / "templates/page.html").write_text('<p class="{{ name }}">{{ value }}</p>{{ style }}')
    (tmp_path / "assets/page.css").write_text("a > b { }")
    return tmp_path


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a < b & c", "a &lt; b &amp; c"), (None, ""), (0, "0"), ("\x1b[0m\ud800", "\ufffd[0m\ufffd")],
)
def test_values_are_text_and_assets_stand_as_they_are(room: Path, value: object, shown: str) -> None:
    templates = Templates(room)
    page = templates.render("page.html", name='"', value=value, style=templates.asset("page.css"))
    assert page == f'<p class="&#34;">{shown}</p>a > b {{ }}'


def test_what_one_template_made_is_markup_in_another(room: Path) -> None:
    templates = Templates(room)
    inner = templates.render("page.html", name="inner", value="<", style=None)
    outer = templates.render("page.html", name="outer", value=inner, style=None)
    assert outer == '<p class="outer"><p class="inner">&lt;</p></p>'


def test_a_value_that_is_not_given_is_refused(room: Path) -> None:
    with pytest.raises(LookupError, match="'value' is undefined"):
        Templates(room).render("page.html", name="a", style=None)


def test_lines_and_tabs_are_kept() -> None:
    assert printable("a\tb\nc\x00\x7f") == "a\tb\nc\ufffd\ufffd"


def test_jinja_is_loaded_with_the_first_page() -> None:
    code = "import dsray.report.html, dsray.report.compare, dsray.serving.docs, sys; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_a_wheel_carries_every_file_of_the_package() -> None:
    root = Path(__file__).parents[3]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    carried = {path for pattern in settings["dsray"] for path in (root / "dsray").glob(pattern)}
    found = {path for path in (root / "dsray").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert len(found) >= 20
    assert found == carried
