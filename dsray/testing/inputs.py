"""The promises of inputs: of their configs, and of the specs that these learn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dsray.base import RequestError
from dsray.base.errors import a
from dsray.inputs import Encoded, InputConfig, InputSpec, Shown
from dsray.testing.settings import check_round_trip

FIELD = "instances.3.here"
Values = dict[str, np.ndarray]


def check_input(config: InputConfig, train: pa.Table) -> None:
    """It learns one spec from the training rows, knows it again, and the spec keeps the promises of `check_spec`.

    It says of each of its columns whether it can be read. train: a few rows with those columns, at least two of which
    have the input.
    """
    check_round_trip(config)
    assert config.columns, "it reads no column"
    for column in config.columns:
        said = config.fault(column, train.schema.field(column).type)
        assert said is None, f"it calls the column '{column}' unreadable ({said})"
        said = config.fault(column, pa.map_(pa.string(), pa.int8()))
        assert isinstance(said, str) and said, f"it says nothing against a column '{column}' of maps"
    spec = config.fit(train)
    assert type(spec) is config.gives(), f"it learns {a(type(spec).__name__)}, and says {config.gives().__name__}"
    assert config.fit(train) == spec, "it learns something else from the same rows"
    assert (spec.columns, spec.encoded) == (config.columns, config.encoded), "what it learnt reads other columns"
    assert config.learnt(spec), "it does not know again what it learnt"
    assert not config.learnt(_Another()), "it takes a spec of another kind for its own"
    _check_range(config, spec)
    check_spec(spec, train)


def check_spec(spec: InputSpec, rows: pa.Table) -> None:
    """Rows and requests become the same tensors, of the shapes, types and ranges that `tensors` says.

    A missing row is absent and zeros; a row's tensors are its own; the value of a request that means a row is read as
    that row; the JSON Schema of a request allows it, the example and null, and what cannot be read is a RequestError.
    rows: as for `check_input`.
    """
    check_round_trip(spec)
    spec.check()
    _check_tensors(spec)
    with_missing = pa.concat_tables([rows, _nulls(rows)], promote_options="default")
    encoded = spec.encode(with_missing, "here")
    values = _check_encoded(spec, encoded, len(with_missing))
    present = np.flatnonzero(encoded.present)
    assert not encoded.present[-1], "a row of which every column is null is present"
    assert len(present) >= 2, "fewer than two of the given rows have the input"
    for part, found in values.items():
        assert not found[~encoded.present].any(), f"rows that lack the input are not zeros{_of(part)}"
    _check_own(spec, with_missing, encoded)
    for row in present:
        one = {part: found[row] for part, found in values.items()}
        raw = {name: rows.column(name)[int(row)].as_py() for name in spec.columns if name not in spec.encoded}
        _check_request(spec, one, raw)
        _check_shown(spec, one, raw)
    _check_requests(spec)
    _check_told(spec, encoded)


def _check_range(config: InputConfig, spec: InputSpec) -> None:
    """Radii are held to the range before any row is read, and to what was learnt afterwards."""
    learnt = [tensor.range for tensor in spec.tensors.values() if tensor.range is not None]
    known = config.range
    said = f"its range is {known}, and that of what it learnt {', '.join(map(str, learnt)) or None}"
    assert (known is None) == (not learnt), said
    assert known is None or all(known[0] <= low and high <= known[1] for low, high in learnt), said


class _Another(InputSpec):
    """A spec that nobody has learnt."""

    kind: Literal["another"] = "another"


def _check_tensors(spec: InputSpec) -> None:
    assert spec.tensors, "it has no tensors"
    assert "" not in spec.tensors or len(spec.tensors) == 1, "one of several tensors has no name"
    for part, tensor in spec.tensors.items():
        dtype = np.dtype(tensor.dtype)
        assert all(size >= 1 for size in tensor.shape), f"the shape is {tensor.shape}{_of(part)}"
        if tensor.range is not None:
            low, high = tensor.range
            assert tensor.shape, f"a single number that can be moved has the shape (1,){_of(part)}"
            assert dtype.kind == "f", f"values of {dtype} have a range and cannot be moved{_of(part)}"
            assert np.isfinite([low, high]).all() and low < high, f"the range is {tensor.range}{_of(part)}"
        if tensor.ids is not None:
            assert dtype.kind in "iu", f"ids are {dtype}{_of(part)}"


def _check_encoded(spec: InputSpec, encoded: Encoded, rows: int) -> Values:
    """The values as the model reads them."""
    assert list(encoded.values) == list(spec.tensors), f"gave {list(encoded.values)}, needs {list(spec.tensors)}"
    flags = {"present": encoded.present, **encoded.marks}
    for name, flag in flags.items():
        assert flag.shape == (rows,) and flag.dtype == bool, f"'{name}' is {flag.dtype} {flag.shape}, needs one per row"
    values = {part: spec.unpack(part, stored) for part, stored in encoded.values.items()}
    _check_values(spec, values, rows, encoded.present)
    for part, found in values.items():
        assert np.array_equal(spec.unpack(part, found), found), (
            f"unpack changes what the model reads already{_of(part)}"
        )
    return values


def _check_values(
    spec: InputSpec, values: Mapping[str, np.ndarray], rows: int, present: np.ndarray | None = None
) -> None:
    """present: the rows whose values must lie in the range, all unless given; the others are zeros, which may not."""
    assert set(values) == set(spec.tensors), f"gave {sorted(values)}, needs {sorted(spec.tensors)}"
    for part, tensor in spec.tensors.items():
        found, shape = values[part], (rows, *tensor.shape)
        told = f"{found.dtype} {found.shape}"
        assert found.shape == shape and found.dtype == tensor.dtype, (
            f"gave {told}, needs {tensor.dtype} {shape}{_of(part)}"
        )
        assert np.isfinite(found).all(), f"gave values that are not finite{_of(part)}"
        low, high = tensor.range or (0, np.inf if tensor.ids is None else tensor.ids - 1)
        if tensor.range is not None or tensor.ids is not None:
            there = found if present is None else found[present]
            inside = low <= there.min(initial=low) and there.max(initial=low) <= high
            assert inside, f"gave values outside {low:g} to {high:g}{_of(part)}"


def _check_own(spec: InputSpec, table: pa.Table, encoded: Encoded) -> None:
    again = spec.encode(table, "here")
    order = np.arange(len(table))[::-1][: len(table) - 1]
    part_of = spec.encode(table.take(pa.array(order)), "here")
    for part, stored in encoded.values.items():
        assert np.array_equal(again.values[part], stored), f"the rows differ when they are encoded again{_of(part)}"
        assert np.array_equal(part_of.values[part], stored[order]), f"a row's values depend on its company{_of(part)}"
    assert np.array_equal(part_of.present, encoded.present[order]), "whether a row is present depends on its company"


def _check_request(spec: InputSpec, values: Values, raw: Mapping[str, Any]) -> None:
    request = _json(spec.request_of(values, raw), "the value of a request that means a row")
    _check_allowed(spec, request, "the value of a request that means a row")
    read = spec.read([request, request], [FIELD, FIELD])
    _check_values(spec, read, 2)
    for part, found in read.items():
        same = np.array_equal(found[0], values[part]) and np.array_equal(found[1], values[part])
        assert same, f"the value of a request that means a row is read as another row{_of(part)}"


def _check_requests(spec: InputSpec) -> None:
    _check_values(spec, spec.read([], []), 0)
    example = _json(spec.example(), "the example")
    _check_values(spec, spec.read([example], [FIELD]), 1)
    _check_allowed(spec, example, "the example")
    _check_allowed(spec, None, "null")
    said = _refused(spec, example)
    assert FIELD in said, f"the error for a value that cannot be read does not name it ({said})"


def _refused(spec: InputSpec, example: Any) -> str:
    """What is said of a value that cannot be read."""
    try:
        spec.read([example, {"another key": None}], ["instances.2.here", FIELD])
    except RequestError as error:
        return str(error)
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(
            f"a value that cannot be read is a {type(error).__name__}, needs a RequestError"
        ) from error
    raise AssertionError("it reads what is no value of it")


def _check_shown(spec: InputSpec, values: Values, raw: Mapping[str, Any]) -> None:
    pages: list[Shown | None] = [spec.show(values, raw)]
    assert pages[0] is not None, "it shows nothing of a row"
    if any(tensor.continuous for tensor in spec.tensors.values()):  # an attack has moved the values
        pages += [spec.show(values, {}), spec.difference(values, values)]
    for shown in pages:
        if shown is not None:
            assert shown.media in ("image/png", "text/plain"), f"a page cannot show {shown.media}"
            assert isinstance(shown.content, str), "what a page shows is no string"


def _check_told(spec: InputSpec, encoded: Encoded) -> None:
    about = _json(spec.about(), "what a client is told")
    assert about.get("kind") == spec.kind, "what a client is told lacks the kind"
    assert not {"column", "columns"} & set(about), "a client is told of the source's columns"
    facts = spec.facts()
    assert facts is None or facts, "what was learnt is told in no words"
    counts = {"train": {what: int(flag.sum()) for what, flag in encoded.marks.items()}}
    assert all(isinstance(remark, str) for remark in spec.remarks(counts, "here")), "a remark is no sentence"
    assert set(spec.csv_types()) <= set(spec.columns), "it reads other columns from a CSV file"
    assert all(suffix == suffix.lower() and suffix[:1] == "." for suffix in spec.suffixes), "a suffix is like .png"


def _check_allowed(spec: InputSpec, value: Any, what: str) -> None:
    import jsonschema

    try:
        jsonschema.validate(value, spec.request_schema())
    except (jsonschema.ValidationError, jsonschema.SchemaError) as error:
        raise AssertionError(f"the JSON Schema of a request does not allow {what} ({error.message})") from None


def _json(value: Any, what: str) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} is not JSON ({error})") from None


def _nulls(rows: pa.Table) -> pa.Table:
    """One row of nothing."""
    return pa.table({field.name: pa.nulls(1, field.type) for field in rows.schema})


def _of(part: str) -> str:
    return f" (tensor '{part}')" if part else ""
