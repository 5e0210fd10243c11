"""Raw instances in, answers out: the offline form of the served model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.data import columns_of

if (
    TYPE_CHECKING
):  # of protocols, which imports torch: that takes longer than loading a model and is not needed to answer
    from dsray.base.protocols import Columns
    from dsray.compress.onnx_model import OnnxModel


class Predictor:
    """An artefact and its model; each answer depends on its instance alone.

    threads: of the model's arithmetic. A RequestError where the model is none for the artefact's schema.
    """

    def __init__(self, artefact: Artefact, threads: int = 1):
        self.artefact = artefact
        self.model = artefact.model(threads)
        _check_fit(artefact, self.model)

    def check(self, instances: Sequence[dict[str, Any]], field: str = "instances") -> Columns:
        """The instances as model input; a fault is a RequestError naming instance and field."""
        return columns_of(list(instances), self.artefact.schema, field)

    def predict(self, instances: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the kind of target answers, compute used (of a model with routing) and model version."""
        return self.answer(self.check(instances), len(instances))

    def answer(self, columns: Columns, rows: int) -> list[dict[str, Any]]:
        """`predict` for instances that `check` has turned into columns."""
        found = self.model.run_all(columns, rows)
        blocks = self.artefact.blocks
        answers = []
        ran = [] if found.blocks_run is None else found.blocks_run.tolist()
        for i, answer in enumerate(self.artefact.schema.target.replies(found.logits)):
            if blocks is not None:
                answer["compute"] = {"blocks_run": ran[i], "blocks": blocks, "share": ran[i] / blocks}
            answers.append({**answer, "model": self.artefact.version})
        return answers

    def answer_rows(self, rows: Sequence[Columns]) -> list[dict[str, Any]]:
        """One answer for each of several columns of one row, in one call of the model."""
        joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return self.answer(joined, len(rows))


def _check_fit(artefact: Artefact, model: OnnxModel) -> None:
    """A RequestError unless the graph reads what the schema describes and answers with its numbers."""
    schema = artefact.schema
    wanted: dict[str, list[int]] = {f"present_{name}": [] for name in schema.names}
    wanted |= {"logits": [schema.target.outputs]} | ({} if artefact.blocks is None else {"blocks_run": []})
    if artefact.blocks is not None and "blocks_run" not in model.outputs:
        raise RequestError(
            f"artefact: {artefact.folder / 'model.onnx'} does not tell the blocks that its manifest names; compress again"
        )
    wanted |= {name: list(tensor.shape) for name, tensor in schema.tensors.items()}
    for spec in schema.inputs.values():
        spec.check()
    for name, sizes in model.shapes.items():
        if name not in wanted or not _agree(sizes, wanted[name]):
            raise RequestError(
                f"artefact: {artefact.folder / 'model.onnx'} is not the model of its own schema ('{name}' has {sizes} "
                f"numbers a row, not {wanted.get(name, 'any')}); compress again"
            )


def _agree(found: list[int | str | None], wanted: list[int]) -> bool:
    """Whether the sizes are the same, as far as the graph knows its own."""
    known = [size if isinstance(size, int) else None for size in found]
    return len(known) == len(wanted) and all(f in (None, w) for f, w in zip(known, wanted, strict=True))


def split(columns: Columns) -> list[Columns]:
    """Columns of one row each."""
    return [{name: values[i : i + 1] for name, values in columns.items()} for i in range(len(columns["row"]))]
