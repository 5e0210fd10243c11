"""Raw instances in, answers out: the offline form of the served model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsray.compress import Artefact
from dsray.data import columns_of
from dsray.protocols import Columns

SHOWN = 5
"""Classes whose probability an answer tells."""


class Predictor:
    """An artefact and its session; each answer depends on its instance alone."""

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
        for logits, ran in zip(found.probabilities, found.blocks_run.tolist(), strict=True):
            order = (-logits).argsort(kind="stable")[:SHOWN]
            answers.append(
                {
                    "label": self.classes[order[0]],
                    "confidence": float(logits[order[0]]),
                    "probabilities": {self.classes[i]: float(logits[i]) for i in order},
                    "compute": {"blocks_run": ran, "blocks": blocks, "share": ran / blocks},
                    "model": self.artefact.version,
                }
            )
        return answers
