"""The plug-in of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from dsray import testing
from dsray.attacks import PgdConfig
from dsray.engine import AdversarialStage


def test_the_ten_lines_run_and_are_chosen_by_kind(tmp_path, monkeypatch):
    text = Path(__file__).parents[2].joinpath("CONTRIBUTING.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S)
    assert code
    tmp_path.joinpath("signs.py").write_text(code[1])
    monkeypatch.syspath_prepend(tmp_path)
    stage = AdversarialStage.model_validate({"attack": {"kind": "signs:SignsConfig"}, "epsilon": 0.1})
    assert type(stage.attack).__name__ == "SignsConfig"
    assert not isinstance(stage.attack, PgdConfig)
    assert AdversarialStage.model_validate(stage.model_dump(mode="json")) == stage


def test_every_kind_that_has_a_check_is_told_of_it():
    text = Path(__file__).parents[2].joinpath("CONTRIBUTING.md").read_text()
    parts = {"check_round_trip", "check_spec", "check_target_spec"}  # of the checks of kinds
    assert {name for name in testing.__all__ if f"`{name}`" not in text} <= parts
