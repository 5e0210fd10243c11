"""Vocabulary and length of a text column are chosen from the training rows unless given; nothing is cut unseen."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray import run
from dsray.data import DataConfig, prepare
from dsray.experiment import Experiment
from dsray.inputs import TextInput
from dsray.inputs.tokens import learn_tokenizer, load_tokenizer, tokenise
from dsray.inputs.vocabulary import choose_length


def fit(texts: list[str], **given):
    return TextInput(column="t", **given).fit(pa.table({"t": texts}))


def words(n: int, seed: int = 0) -> list[str]:
    """Different words of 4 to 9 letters."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        found["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(4, 10)))] = None
    return list(found)


@pytest.mark.parametrize(("counts", "length"), [([7] * 95 + [90] * 5, 7), ([7] * 94 + [90] * 6, 90), ([3], 3), ([], 1)])
def test_the_length_holds_95_of_100_texts_whole(counts, length):
    assert choose_length(np.array(counts, dtype=np.int64)) == length


def test_the_length_has_a_limit():
    assert fit(["a b c " * 400] * 5).length == 256
    assert fit(["a b c " * 30] * 5).length == 90


def test_the_vocabulary_makes_common_words_whole_and_leaves_out_what_is_seen_once():
    often, once = words(400), words(2400, seed=1)[400:]
    texts = [f"{often[i % 400]} {often[(i * 7) % 400]} {once[i]}" for i in range(2000)]
    spec = fit(texts)
    tokenizer = load_tokenizer(spec.tokenizer)
    whole = sum(len(tokenizer.encode(word, add_special_tokens=False).ids) == 1 for word in often)
    assert whole >= 380
    assert 400 < spec.vocabulary < 2000
    assert tokenizer.get_vocab() == load_tokenizer(learn_tokenizer(texts, spec.vocabulary)).get_vocab()


def test_small_and_large_vocabularies_have_limits():
    assert fit(words(2000)).vocabulary == 256  # no word is seen twice
    rng = np.random.default_rng(0)
    many = ["".join(chr(0x4E00 + c) for c in rng.integers(0, 9000, 30)) for _ in range(2000)]
    assert fit(many).vocabulary == 8192


def test_every_letter_of_the_training_rows_has_an_id():
    texts = ["".join(chr(0x4E00 + (31 * i + j) % 900) for j in range(9)) for i in range(400)]
    spec = fit(texts)
    assert spec.vocabulary == 2 + len(set("".join(texts)))
    assert (tokenise(texts, spec.tokenizer, spec.length) != 1).all()


def test_what_is_given_is_kept():
    texts = ["one two three four"] * 9
    spec = fit(texts, vocabulary=20, length=3)
    assert (spec.length, spec.vocabulary) == (3, 20)
    assert spec.tokenizer == learn_tokenizer(texts, 20)
    assert fit(texts, length=3).length == 3
    assert fit(texts, vocabulary=20).length > 4


def test_no_text_at_all_is_one_token_of_padding():
    assert fit([]).length == fit(["", " "]).length == 1


def test_the_digits_keep_what_they_bring():
    config = DataConfig()
    assert (config.inputs["text"].vocabulary, config.inputs["text"].length) == (256, 8)


def learnt(section: dict, out: Path) -> float:
    """The test accuracy of a small model after 60 steps."""
    trunk = {"blocks": 1, "hidden": 32, "heads": 2, "experts": None}
    experiment = {
        "data": section,
        "model": {"width": 32, "trunk": trunk, "depth": "full"},
        "train": {"steps": 60, "batch": 32, "rates": {"schedule": {"kind": "constant", "value": 0.003}}},
    }
    return run(Experiment.parse(experiment), local=True, out=out).metrics["test_accuracy"]


def test_a_text_that_tells_its_class_by_a_late_word_is_whole(tmp_path):
    """Sixty words of as many, the telling one among the last ten; sixteen tokens of 256 ids are as good as a coin."""
    known, rng = words(60), np.random.default_rng(0)

    def row(label: int) -> str:
        found = list(rng.choice(known, 60))
        found[rng.integers(50, 60)] = ("zebra", "tiger")[label]
        return " ".join(found)

    for split, rows in (("train", 600), ("test", 100)):
        labels = rng.integers(0, 2, rows)
        table = pa.table({"text": [row(label) for label in labels], "label": labels})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    source = {"kind": "parquet", **{split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}}
    section = {"source": source, "text": {"column": "text"}, "label": "label"}
    data = prepare(DataConfig.model_validate(section))
    assert data.counts["train"]["text"]["cut"] <= 0.05 * len(data.splits["train"])
    assert learnt(section, tmp_path / "run") > 0.9
    short = prepare(DataConfig.model_validate({**section, "text": {"column": "text", "vocabulary": 256, "length": 16}}))
    assert short.counts["train"]["text"]["cut"] == len(short.splits["train"])
