"""The plug-in of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

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
