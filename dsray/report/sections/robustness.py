"""Accuracy under attack: against epsilon, by attack, and what the attack did to single rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsray.base.templates import Html
from dsray.record.cautions import of_judgement, wording_of
from dsray.record.judgements import units_of
from dsray.record.record import Record
from dsray.record.words import count, percent, points, sentence
from dsray.report.charts import Axis, Bar, Series, bar_chart, line_chart
from dsray.report.charts.scale import percent_of
from dsray.report.layout import render
from dsray.report.sections.section import Section
from dsray.report.sections.shown import inputs_of, shown
from dsray.targets import Wording

_MOVED = ("clean", "adversarial", "difference")
_FACTS = (*_MOVED, "target", "prediction_clean", "prediction_adversarial")


def robustness(record: Record) -> Section | None:
    """From `attack.json`."""
    attack = record.read_json("attack.json")
    if not attack:
        return None
    body = render(
        "robustness.html",
        curve=_curve(attack),
        attacks=_attacks(attack),
        examples=[_example(example) for example in attack.get("examples") or []],
    )
    return Section("robustness", "Robustness", body, _lead(attack, wording_of(record)))


def _lead(attack: Mapping[str, Any], wording: Wording) -> str:
    robust, undefended = attack.get("robust_accuracy"), attack.get("robust_accuracy_undefended")
    words = [f"Judged on {count(attack['rows'], 'row')} at epsilon {attack['epsilon']:g} ({units_of(attack)})."]
    words.append("A row counts as robust only if every attack fails on it.")
    words += map(sentence, of_judgement(attack, wording))
    if robust is not None and undefended is not None:
        words.append(f"{points((robust - undefended) * 100)} against an undefended model of equal steps.")
    return " ".join(words)


def _curve(attack: Mapping[str, Any]) -> Html | None:
    def series(name: str) -> list[tuple[float, float]]:
        return [(p["epsilon"], p[name]) for p in attack.get("curve") or [] if p.get(name) is not None]

    undefended = series("robust_accuracy_undefended")
    lines = [
        Series("defended" if undefended else "robust accuracy", series("robust_accuracy"), 1),
        Series("undefended", undefended, 2),
    ]
    axis = Axis("robust accuracy", percent_of, low=0.0, high=1.0)
    note = "; ".join(["epsilon 0 is the clean accuracy", *_judged_on(attack.get("curve") or [])])
    return line_chart("Robust accuracy against epsilon", lines, Axis("epsilon"), axis, note)


def _judged_on(curve: Sequence[Mapping[str, Any]]) -> list[str]:
    """On how many rows the points were judged: `["75 rows at epsilon 0.05, 0.15", "300 rows at epsilon 0, 0.1"]`."""
    rows = sorted({point["rows"] for point in curve if "rows" in point})
    at = {n: ", ".join(f"{p['epsilon']:g}" for p in curve if p.get("rows") == n) for n in rows}
    return [f"{count(n, 'row')} at epsilon {at[n]}" if len(rows) > 1 else f"judged on {count(n, 'row')}" for n in rows]


def _attacks(attack: Mapping[str, Any]) -> Html | None:
    clean, robust = attack.get("clean_accuracy"), attack.get("robust_accuracy")
    bars = [Bar("clean", clean, percent(clean), 3)] if clean is not None else []
    left = attack.get("per_attack") or {}
    bars += [Bar(name, left[name], percent(left[name]), 1) for name in attack.get("attacks") or left if name in left]
    if robust is not None:
        bars.append(Bar("all together", robust, percent(robust), 1))
    if attack.get("robust_accuracy_undefended") is not None:
        bars.append(
            Bar(
                "undefended, all",
                attack["robust_accuracy_undefended"],
                percent(attack["robust_accuracy_undefended"]),
                2,
            )
        )
    note = f"epsilon {attack['epsilon']:g}; attacks run in this order, and a row counts only if it withstood all so far"
    return bar_chart("Accuracy left after each attack", bars, note, full=1.0)


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    moved = {name: shown(example.get(name)) for name in _MOVED}
    return {
        "moved": {name: value for name, value in moved.items() if value},
        "others": inputs_of(example, "others", _FACTS),
        "target": str(example.get("target")),
        "clean": str(example.get("prediction_clean")),
        "attacked": str(example.get("prediction_adversarial")),
    }
