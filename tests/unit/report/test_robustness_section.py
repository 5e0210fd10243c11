"""What the report says of robustness is what was judged."""

from __future__ import annotations

import pytest

from dsray.report.sections.examples import examples
from dsray.report.sections.robustness import robustness

JUDGED = {
    "epsilon": 0.1,
    "rows": 300,
    "attacks": ["random_search-9", "fgsm"],
    "clean_accuracy": 0.9,
    "per_attack": {"fgsm": 0.5, "random_search-9": 0.7},  # JSON keeps names in order of letters
    "robust_accuracy": 0.5,
}


class Written:
    """A record that holds one file."""

    def __init__(self, attack):
        self.attack = attack

    def read_json(self, name):
        return self.attack


def shown(**changes):
    return str(robustness(Written(JUDGED | changes)).body)


def test_the_bars_of_the_attacks_are_cumulative_and_say_so():
    text = shown()
    assert "Accuracy left after each attack" in text
    assert "attacks run in this order, and a row counts only if it withstood all so far" in text
    assert text.index("random_search-9: 70.0") < text.index("fgsm: 50.0")


def points(*rows):
    return [{"epsilon": 0.05 * i, "robust_accuracy": 0.9 - 0.1 * i, "rows": n} for i, n in enumerate(rows)]


def test_the_curve_says_on_how_many_rows_each_point_was_judged():
    assert "epsilon 0 is the clean accuracy; 75 rows at epsilon 0.05, 0.15; 300 rows at epsilon 0, 0.1" in shown(
        curve=points(300, 75, 300, 75)
    )
    assert "epsilon 0 is the clean accuracy; judged on 300 rows" in shown(curve=points(300, 300))


def test_rows_that_the_attacks_say_nothing_of_are_told():
    lead = robustness(Written(JUDGED | {"robust_rows_without_gradient": 40, "robust_rows_climbed": 270})).lead
    assert (
        "40 of 270 rows that attacks climbed had no gradient (zero in every pixel): only attacks that need none say "
        "something of them."
    ) in lead
    said = JUDGED | {"robust_rows_without_gradient": 40, "robust_rows_climbed": 270, "element": "value"}
    assert "(zero in every value): only attacks" in robustness(Written(said)).lead


@pytest.mark.parametrize(
    "source",
    [
        "javascript:alert(1)",
        "https://example.org/x.png",
        "data:image/svg+xml;base64,AAAA",
        'data:image/png;base64,A" x="',
        None,
        3,
    ],
)
def test_only_embedded_pictures_are_shown(source):
    bad, good = ({"media": "image/png", "content": content} for content in (source, "data:image/png;base64,AAAA"))
    text = shown(examples=[{"clean": bad, "adversarial": good, "difference": bad}])
    assert text.count('<span class="nopicture">no picture</span>') == 2
    assert text.count("<img") == 1
    assert '<img src="data:image/png;base64,AAAA" alt="adversarial input" width="96" height="96"' in text


def test_rows_of_a_record_of_before_are_shown_with_their_inputs():
    """Version 0.1 wrote a picture as a data URI and a text as it is, beside the answers."""
    picture = "data:image/png;base64,AAAA"
    text = shown(
        examples=[
            {"clean": picture, "adversarial": picture, "difference": picture, "text": "is it even?", "target": "a"}
        ]
    )
    assert (text.count("<img"), text.count("<p>is it even?</p>")) == (3, 1)
    row = {"image": picture, "text": None, "target": "a", "prediction": "a", "confidence": 0.5, "blocks_run": 1}
    text = str(examples(Written({"examples": [row, {**row, "image": None, "text": "is it odd?"}]})).body)
    assert (text.count("<img"), text.count("<p>is it odd?</p>")) == (1, 1)
