"""The judgements of a record: robust accuracies with the epsilon, the rows and the attacks that they hold for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dsray.base import RequestError
from dsray.record.record import Record
from dsray.record.words import count

FIGURES = ("robust_accuracy", "robust_accuracy_undefended")
KEPT = (
    *FIGURES,
    "robust_accuracy_known",
    "robust_rows_unknown",
    "robust_rows_without_image",
    "robust_rows_climbed",
    "robust_rows_without_gradient",
    "robust_rows_climbed_undefended",
    "robust_rows_without_gradient_undefended",
)
"""The figures of a judgement that `metrics.json` holds; see `dsray.runner.attack.attack_step` for what they mean."""

_FILE = "judgements.json"
_TERMS = ("epsilon", "rows", "attacks")


def keep_judgement(record: Record, report: Mapping[str, Any], own: bool) -> bool:
    """Add what `attack_step` found, in place of a judgement by the same terms; whether these are the experiment's own.

    own: they are known to be; the figures of that judgement are those of `metrics.json`.
    """
    found = {name: report[name] for name in (*_TERMS, *KEPT) if name in report}
    own = own or terms(own_judgement(record)) == terms(found)
    others = [j for j in judgements(record) if terms(j) != terms(found) and not (own and j["own"])]
    record.write_json(_FILE, [*others, {**found, "own": own}])
    if own:
        record.update_metrics({name: found[name] for name in KEPT if name in found})
    return own


def judgements(record: Record) -> list[dict[str, Any]]:
    """All judgements of a record, the oldest first; a record without a list of them has the one of `attack.json`."""
    found = record.read_json(_FILE)
    attack = record.read_json("attack.json") if found is None else None
    found = [{**attack, "own": True}] if isinstance(attack, dict) else found or []
    if not (isinstance(found, list) and all(isinstance(j, dict) and isinstance(j.get("own"), bool) for j in found)):
        raise RequestError(f"record: {record.path / _FILE} holds no list of judgements; restore or delete it")
    return found


def own_judgement(record: Record) -> dict[str, Any]:
    """The one whose figures `metrics.json` holds; empty where there is none."""
    return next((j for j in judgements(record) if j["own"]), {})


def terms(judgement: Mapping[str, Any]) -> tuple[Any, ...]:
    """What must be the same for two robust accuracies to be comparable."""
    return tuple(tuple(v) if isinstance(v, list) else v for v in map(judgement.get, _TERMS))


def in_words(judgement: Mapping[str, Any], names: Iterable[str] = ("epsilon", "rows")) -> str:
    """`epsilon 0.1, 300 rows`; names: which of the terms."""
    said = {
        "epsilon": lambda v: f"epsilon {v:g}",
        "rows": lambda v: count(v, "row"),
        "attacks": lambda v: ", ".join(v),
    }
    return ", ".join(said[name](judgement[name]) for name in names if name in judgement)


def differing(found: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The terms that are not the same in all judgements."""
    columns = zip(*map(terms, found), strict=True)
    return tuple(name for name, values in zip(_TERMS, columns, strict=False) if len(set(values)) > 1)
