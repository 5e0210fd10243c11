"""Raw instances in, answers out: the offline form of the served model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dsray.compress import Artefact
from dsray.data import columns_of

if TYPE_CHECKING:  # its module imports torch, which takes longer than loading a model and is not needed to answer
    from dsray.protocols import Columns

SHOWN = 5
"""Classes whose probability an answer tells."""


class Predictor:
    """An artefact and its session; each answer depends on its instance alone.

    threads: of the model's arithmetic.
    """

    def __init__(self, artefact: Artefact, threads: int = 1):
        self.artefact = artefact
        self.session = artefact.session(threads)
        self.classes = artefact.schema.classes

    def check(self, instances: Sequence[dict[str, Any]], field: str = "instances") -> Columns:
        """The instances as model input; a fault is a RequestError naming instance and field."""
        return columns_of(list(instances), self.artefact.schema, field)

    def predict(self, instances: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """label, confidence, the likeliest probabilities, compute used and model version of each instance."""
        return self.answer(self.check(instances), len(instances))

    def answer(self, columns: Columns, rows: int) -> list[dict[str, Any]]:
        """`predict` for instances that `check` has turned into columns."""
        found = self.session.run_all(columns, rows)
        blocks = self.artefact.blocks
        answers = []
        for probabilities, ran in zip(found.probabilities, found.blocks_run.tolist(), strict=True):
            order = (-probabilities).argsort(kind="stable")[:SHOWN]
            answers.append(
                {
                    "label": self.classes[order[0]],
                    "confidence": float(probabilities[order[0]]),
                    "probabilities": {self.classes[i]: float(probabilities[i]) for i in order},
                    "compute": {"blocks_run": ran, "blocks": blocks, "share": ran / blocks},
                    "model": self.artefact.version,
                }
            )
        return answers

    def answer_rows(self, rows: Sequence[Columns]) -> list[dict[str, Any]]:
        """One answer for each of several columns of one row, in one call of the model."""
        joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return self.answer(joined, len(rows))


def split(columns: Columns) -> list[Columns]:
    """Columns of one row each."""
    return [{name: values[i : i + 1] for name, values in columns.items()} for i in range(len(columns["row"]))]
