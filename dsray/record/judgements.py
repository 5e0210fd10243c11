"""The judgements of a record: robust accuracies with the epsilon, the rows and the attacks that they hold for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dsray.base import RequestError
from dsray.record.record import Record
from dsray.record.words import count

FIGURES = ("robust_accuracy", "robust_accuracy_undefended")
_WITHOUT = "robust_rows_without_"
KEPT = (
    *FIGURES,
    "robust_accuracy_known",
    "robust_rows_unknown",
    _WITHOUT,  # and the name of the input
    "robust_rows_climbed",
    "robust_rows_without_gradient",
    "robust_rows_climbed_undefended",
    "robust_rows_without_gradient_undefended",
)

_FILE = "judgements.json"
_TERMS = ("epsilon", "rows", "attacks", "threat", "input")
_DEFAULT_THREAT = "linf"


def kept(names: Iterable[str]) -> list[str]:
    """Those of `names` that are figures of a judgement, which `metrics.json` holds, in the order in which they are read.

    See `dsray.runner.attack.attack_step` for what they mean.
    """
    rank = {name: _rank(name) for name in names}
    return sorted((name for name, at in rank.items() if at >= 0), key=rank.__getitem__)


def _rank(name: str) -> int:
    whole = name if name in KEPT or not name.startswith(_WITHOUT) else _WITHOUT
    return KEPT.index(whole) if whole in KEPT else -1


def moved_input(judgement: Mapping[str, Any]) -> str | None:
    """The name of the input that was attacked; records of earlier versions tell it by the name of a figure."""
    told = (name.removeprefix(_WITHOUT) for name in judgement if name.startswith(_WITHOUT) and name not in KEPT)
    return judgement.get("input") or next(told, None)


def keep_judgement(record: Record, report: Mapping[str, Any], own: bool) -> bool:
    """Add what `attack_step` found, in place of a judgement by the same terms; whether these are the experiment's own.

    own: they are known to be; the figures of that judgement are those of `metrics.json`.
    """
    found = {name: report[name] for name in (*_TERMS, "element", *kept(report)) if name in report}
    own = own or terms(own_judgement(record)) == terms(found)
    others = [j for j in judgements(record) if terms(j) != terms(found) and not (own and j["own"])]
    record.write_json(_FILE, [*others, {**found, "own": own}])
    if own:
        record.update_metrics({name: found[name] for name in kept(found)})
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
    return tuple(tuple(v) if isinstance(v, list) else v for v in (_term(judgement, name) for name in _TERMS))


def _term(judgement: Mapping[str, Any], name: str) -> Any:
    if name == "input":
        return moved_input(judgement)
    return judgement.get(name, _DEFAULT_THREAT if name == "threat" else None)


def units_of(judgement: Mapping[str, Any]) -> str:
    """What its epsilon means; earlier versions had no other than L-inf."""
    return str(judgement.get("units", "L-inf, in units of the input"))


def in_words(judgement: Mapping[str, Any], names: Iterable[str] = ("epsilon", "rows")) -> str:
    """`epsilon 0.1, 300 rows`, under another threat than L-inf `epsilon 0.5 in l2, 300 rows`; names: which of the terms."""
    names, threat = list(names), _term(judgement, "threat")
    unit = "" if threat == _DEFAULT_THREAT else f" in {threat}"
    said = {
        "epsilon": lambda v: f"epsilon {v:g}{unit}",
        "rows": lambda v: count(v, "row"),
        "attacks": lambda v: ", ".join(v),
        "threat": lambda v: "" if "epsilon" in names else v,
        "input": lambda v: f"{v} attacked",
    }
    found = ((name, _term(judgement, name)) for name in names)
    return ", ".join(filter(None, (said[name](value) for name, value in found if value is not None)))


def differing(found: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The terms that are not the same in all judgements."""
    columns = {name: set(values) for name, values in zip(_TERMS, zip(*map(terms, found), strict=True), strict=False)}
    columns.get("input", set()).discard(None)  # an early record does not say
    return tuple(name for name, values in columns.items() if len(values) > 1)
