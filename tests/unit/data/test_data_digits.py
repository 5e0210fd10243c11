"""The digits with a question: splits, wordings, and what can be known from one input alone."""

import io
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from dsray.data import DataConfig, DigitsConfig, load_tables, prepare
from dsray.data.sources.questions import ANSWERS, SEEN, WORDINGS


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return DigitsConfig().tables()


def test_each_image_comes_with_every_kind_of_question(tables):
    for table in tables.values():
        pairs = list(zip(table["image_id"].to_pylist(), table["question_kind"].to_pylist(), strict=True))
        assert len(set(pairs)) == len(pairs) == 3 * len(set(table["image_id"].to_pylist()))
    assert {name: len(t) for name, t in tables.items()} == {"train": 3774, "validation": 540, "test": 1077}


def test_no_image_is_in_two_splits(tables):
    ids = [set(t["image_id"].to_pylist()) for t in tables.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) == 1797


def test_two_wordings_of_each_kind_occur_in_the_test_split_only(tables):
    asked = {split: set(t["question"].to_pylist()) for split, t in tables.items()}
    assert all(len(wordings) == len(set(wordings)) == 8 for wordings in WORDINGS.values())
    assert asked["train"] == asked["validation"] == {w for ws in WORDINGS.values() for w in ws[:SEEN]}
    assert asked["test"] == {w for ws in WORDINGS.values() for w in ws}
    new = np.isin(tables["test"]["question"].to_pylist(), [w for ws in WORDINGS.values() for w in ws[SEEN:]])
    assert new.mean() == pytest.approx(0.25, abs=0.04)


def test_every_word_of_an_unseen_wording_is_known_from_a_seen_one():
    def words(first: int, last: int) -> set[str]:
        return {word for ws in WORDINGS.values() for w in ws[first:last] for word in w.strip("?").split()}

    assert words(SEEN, 8) <= words(0, SEEN)


def test_the_kinds_share_their_words():
    words = {kind: {word for w in ws for word in w.strip("?").split()} for kind, ws in WORDINGS.items()}
    assert len(set.intersection(*words.values())) >= 5


def best_share(keys: list, answers: list) -> float:
    """The share of rows that the best answer to each key gets right."""
    best: dict = {}
    for key, answer in zip(keys, answers, strict=True):
        best.setdefault(key, Counter())[answer] += 1
    return sum(max(c.values()) for c in best.values()) / len(answers)


def test_neither_input_is_enough(tables):
    for split in ("train", "validation", "test"):
        digit, kind, answer = (tables[split][c].to_pylist() for c in ("digit", "question_kind", "answer"))
        assert best_share(digit, answer) == pytest.approx(0.50, abs=0.02)  # the image says no more than its digit
        assert best_share(kind, answer) == pytest.approx(0.40, abs=0.02)  # the question says no more than its kind
        assert best_share(list(zip(digit, kind, strict=True)), answer) == 1.0


def test_answers_are_true():
    assert [ANSWERS["larger"](d) for d in range(10)] == ["no"] * 6 + ["yes"] * 4
    assert [ANSWERS["even"](d) for d in (0, 7)] == ["yes", "no"]
    assert ANSWERS["digit"](7) == "7"


def test_pixels_are_those_of_scikit_learn(tables):
    original = load_digits()
    for i in (0, 500):
        row = tables["train"].slice(i, 1).to_pylist()[0]
        pixels = np.asarray(Image.open(io.BytesIO(row["image"])))
        assert np.array_equal(pixels, np.round(original.images[row["image_id"]] * 255 / 16))
        assert row["digit"] == original.target[row["image_id"]]


def test_split_seed_moves_the_images_and_the_fingerprint():
    one, other = DigitsConfig(), DigitsConfig(split_seed=1)
    assert one.fingerprint() == DigitsConfig().fingerprint() != other.fingerprint()
    assert one.tables()["test"]["image_id"] != other.tables()["test"]["image_id"]
    assert one.tables()["test"].equals(DigitsConfig().tables()["test"])


def test_without_questions_the_label_is_the_digit():
    config = DataConfig(source={"kind": "digits", "questions": False})
    prepared = prepare(config)
    assert (config.target.column, config.inputs.get("text"), prepared.schema.names) == ("digit", None, ("image",))
    assert prepared.schema.target.classes == tuple("0123456789")
    assert [len(prepared.splits[s]) for s in ("train", "validation", "test")] == [1258, 180, 359]


def test_the_sources_own_validation_split_is_used():
    ids = load_tables(DataConfig(), seed=5)["validation"]["image_id"]
    assert ids == DigitsConfig().tables()["validation"]["image_id"]
