"""A head that earlier versions called otherwise is read wherever they wrote its name."""

from __future__ import annotations

import json

import pytest
import torch

from dsray.base import RequestError
from dsray.base.sums import SUMS, write_sums
from dsray.models import RoutedConfig, load_model, save_model
from dsray.testing.subjects import batch_of, model_config, prepared, routed, schema


@pytest.mark.parametrize("written", ["classification", {"kind": "classification"}])
def test_a_file_of_an_earlier_version_is_read(written):
    config = RoutedConfig.model_validate({"head": written})
    assert config == RoutedConfig() and config.model_dump(mode="json")["head"] == {"kind": "linear"}


def rewrite(folder, about):
    (folder / "model.json").write_text(json.dumps(about))
    (folder / SUMS).unlink()
    write_sums(folder)


@pytest.mark.parametrize("expected", [None, model_config()])
def test_a_model_folder_of_an_earlier_version_is_read(tmp_path, expected):
    model, batch = routed().eval(), batch_of(prepared(), 4)
    save_model(tmp_path / "m", model, model_config(), schema())
    about = json.loads((tmp_path / "m/model.json").read_text())
    about["model"]["head"]["kind"] = "classification"
    rewrite(tmp_path / "m", about)
    found, config, _ = load_model(tmp_path / "m", expected=expected)
    assert torch.equal(found.classify(batch), model.classify(batch)) and config == model_config()
    about["model"]["head"]["kind"] = "another"
    rewrite(tmp_path / "m", about)
    with pytest.raises(RequestError):
        load_model(tmp_path / "m", expected=expected)
