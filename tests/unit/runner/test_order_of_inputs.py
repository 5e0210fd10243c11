"""Inputs stand in the order of the file, also in a record that is read back: encoders, and sums over tokens, follow it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

import dsray
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.runner.original import schema_of


def test_the_order_of_inputs_is_kept_on_disk(tmp_path):
    rows = {"a": ["one two", "three"] * 20, "b": ["red", "green"] * 20, "y": ["x", "z"] * 20}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    files = {"train": str(tmp_path / "rows.parquet"), "test": str(tmp_path / "rows.parquet")}
    inputs = {"zeta": {"kind": "text", "column": "a"}, "alpha": {"kind": "text", "column": "b"}}
    tree = {
        "data": {"source": {"kind": "parquet", **files}, "inputs": inputs, "label": "y"},
        "model": {"encoders": {"zeta": {"kind": "tokens", "width": 32}}},
        "train": {"steps": 2, "batch": 8},
    }
    experiment = Experiment.parse(tree)
    record = dsray.run(experiment, local=True, out=tmp_path / "run")
    assert schema_of(record, experiment.data).names == ("zeta", "alpha")
    assert list(json.loads((record.path / "schema.json").read_text())["inputs"]) == ["zeta", "alpha"]
    model, _, _ = load_model(record.path / "model", expected=experiment.model)
    assert list(model.encoders) == ["zeta", "alpha"]
    assert list(Experiment.parse(record.experiment).data.inputs) == ["zeta", "alpha"]
