"""The promises of targets: of their configs, and of the specs that these learn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dsray.targets import TargetConfig, TargetSpec
from dsray.testing.settings import check_round_trip


def check_target(config: TargetConfig, train: pa.Table) -> None:
    """It learns one spec from the training rows, knows it again, and the spec keeps the promises of `check_target_spec`.

    train: a few rows with its column, all of them with a target.
    """
    check_round_trip(config)
    kind = train.schema.field(config.column).type
    said = config.fault(kind)
    assert said is None, f"it calls the column unreadable ({said})"
    said = config.fault(pa.map_(pa.string(), pa.int8()))
    assert isinstance(said, str) and said, "it says nothing against a column of maps"
    spec = config.fit(train)
    assert type(spec) is config.gives(), f"it learns a {type(spec).__name__}, and says {config.gives().__name__}"
    assert config.fit(train) == spec, "it learns something else from the same rows"
    assert config.learnt(spec), "it does not know again what it learnt"
    codes = config.codes(train.column(config.column))
    assert codes.shape == (len(train),) and codes.min() == 0, "codes are numbers from 0, one a row"
    check_target_spec(spec, train)


def check_target_spec(spec: TargetSpec, rows: pa.Table) -> None:
    """Targets are encoded in the shape that `tensor` says, null as no target; what is known is labelled."""
    check_round_trip(spec)
    column = rows.column(spec.column)
    target = spec.encode(column)
    assert target.shape == (len(rows), *spec.tensor.shape) and target.dtype == spec.tensor.dtype, "encoded otherwise"
    assert spec.labelled(target).all() and spec.known(target).all(), "a training row has no known target"
    none = spec.encode(pa.chunked_array([pa.nulls(2, column.type)]))
    assert not spec.labelled(none).any() and not spec.known(none).any(), "null is a target"
    assert np.array_equal(none, spec.unlabelled(2), equal_nan=none.dtype.kind == "f"), "null is not `unlabelled`"
