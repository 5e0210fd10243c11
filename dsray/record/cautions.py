"""What must be said beside the figures of a record so that they are not believed for more than they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsray.record.judgements import moved_input, own_judgement
from dsray.record.record import Record
from dsray.record.refusal import refuses_all
from dsray.record.words import count, listed, percent
from dsray.targets import Wording

_EARLIER = "pixel"
"""What was moved in records that do not say what one value of the input is called."""
Caution = tuple[str, str]
"""What it is about (rows, answers, attack) and a sentence without its capital and its full stop."""


def rows_of_test(record: Record) -> int | None:
    """How many test rows the accuracies are of: those with a label; None when nothing says so.

    In a record of an earlier version they are of the rows of known class alone.
    """
    data, metrics = record.manifest.get("data") or {}, record.metrics
    rows = (data.get("rows") or {}).get("test")
    if rows is None or "test_rows_unlabelled" in metrics:
        return rows if rows is None else int(rows - metrics["test_rows_unlabelled"])
    known: int = (data.get("known") or data["rows"])["test"]
    return known


def of_known_alone(record: Record) -> tuple[int, int] | None:
    """Test rows of known class and all of them, where an earlier version left the others out of its accuracies."""
    rows, test = ((record.manifest.get("data") or {}).get("rows") or {}).get("test"), rows_of_test(record)
    earlier = "test_accuracy" in record.metrics and "test_rows_unknown" not in record.metrics
    return (test, rows) if earlier and rows and test and test < rows else None


def own_figure(record: Record) -> str | None:
    """The key of the figure that stands beside accuracy, since the kind of target calls it its own; None where that is
    accuracy: `test_balanced_accuracy` of classes that are uneven, `test_mae` of a number."""
    evaluation = record.read_json("evaluation.json") or {}
    earlier = "balanced_accuracy" if evaluation.get("uneven") else "accuracy"
    name = f"test_{evaluation.get('own_figure', earlier)}"
    return name if name != "test_accuracy" and name in record.metrics else None


def cautions(record: Record) -> list[Caution]:
    """All that the record gives reason to say, the rows first."""
    evaluation = record.read_json("evaluation.json") or {}
    own = {**own_judgement(record), **record.metrics}
    attacked = (("attack", said) for said in of_judgement(own, wording_of(record)))
    return [*_rows(record), *_answers(record, evaluation), *attacked]


def wording_of(record: Record) -> Wording:
    """What its rows are called by their target."""
    given = (record.read_json("evaluation.json") or {}).get("wording") or {}
    return Wording(**{part: given[part] for part in Wording._fields if part in given})


def of_judgement(judgement: Mapping[str, Any], wording: Wording = Wording()) -> Iterator[str]:
    """What must be said beside a robust accuracy. judgement: its terms and figures, as `attack_step` writes them."""

    def rows(name: str) -> int:
        return int(judgement.get(f"robust_rows_{name}") or 0)

    judged = f"of the {count(judgement['rows'], 'judged row')}" if "rows" in judgement else "of the judged rows"
    if unknown := rows("unknown"):
        yield (
            f"{unknown:,} {judged} {_are(unknown)} {wording.unknown} and "
            f"{'counts' if unknown == 1 else 'count'} as wrong; robust accuracy on the others "
            f"{percent(judgement['robust_accuracy_known'])}"
        )
    if still := rows(f"without_{(input := moved_input(judgement))}"):
        have = "has" if still == 1 else "have"
        yield f"{still:,} {judged} {have} no {input} to move and {_are(still)} judged as {_they(still)}"
    for model, whose in (("", ""), ("_undefended", "undefended model: ")):
        if blind := rows(f"without_gradient{model}"):
            yield (
                f"{whose}{blind:,} of {count(rows(f'climbed{model}'), 'row')} that attacks climbed had no gradient "
                f"(zero in every {judgement.get('element', _EARLIER)}): only attacks that need none say something of them"
            )


def one_answer(record: Record) -> str | None:
    """`one answer ("ok") for every row`, where that is so."""
    evaluation = record.read_json("evaluation.json") or {}
    answered = evaluation.get("answered") or []
    if "one_answer" in evaluation:
        return f'one answer ("{evaluation["one_answer"]}") for every row'
    given = [name for name, times in zip(_classes(record), answered, strict=False) if times]
    return f'one answer ("{given[0]}") for every row' if len(given) == 1 < sum(answered) else None


def _rows(record: Record) -> Iterator[Caution]:
    metrics, test, wording = record.metrics, rows_of_test(record), wording_of(record)
    if test and (unknown := int(metrics.get("test_rows_unknown", 0))):
        yield (
            "rows",
            f"{unknown:,} of the {count(test, 'test row')} {_are(unknown)} {wording.unknown} and "
            f"{'counts' if unknown == 1 else 'count'} as wrong; accuracy on the others "
            f"{percent(metrics['test_accuracy_known'])}",
        )
    if none := int(metrics.get("test_rows_unlabelled", 0)):
        yield "rows", f"{count(none, 'test row')} without a {wording.one} {_are(none)} in no figure"
    if of := of_known_alone(record):
        yield "rows", f"the class of {count(of[1] - of[0], 'further row')} is unknown to the model"


def _answers(record: Record, evaluation: dict[str, Any]) -> Iterator[Caution]:
    if where := evaluation.get("right_where"):
        yield "answers", f"an answer is right {where}"
    if none := refuses_all(record):
        yield "answers", none
    if said := one_answer(record):
        about = "it is right for" if "one_answer" in evaluation else "its class is that of"
        yield "answers", f"{said}: {about} {percent(record.metrics.get('test_accuracy'))} of them"
        return
    per_class = evaluation.get("per_class") or []
    missed = [str(part["class"]) for part in per_class if part["rows"] and not part["recall"]]
    if missed:
        yield "answers", f"every row of {listed(missed)} missed"


def _classes(record: Record) -> list[str]:
    return [str(name) for name in (record.read_json("evaluation.json") or {}).get("classes") or []]


def _they(number: int) -> str:
    return "it stands" if number == 1 else "they stand"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
