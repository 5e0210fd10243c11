"""Text -> token ids: a byte-pair tokeniser (Sennrich et al. 2016) learnt from the training rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dsray.base import RequestError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, UNKNOWN = 0, 1
_AT_ONCE = 1024
"""Texts encoded at a time, since what an encoding tells of a text takes many times the memory of its ids."""


def learn_tokenizer(texts: Iterable[str], vocabulary: int) -> str:
    """The tokeniser as JSON: lower case, split at spaces and punctuation, at most `vocabulary` ids.

    The same texts give the same tokeniser, whatever their order.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else the library warns when the process forks
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[unknown]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    counted = sorted(Counter(texts).items())
    letters: Counter[str] = Counter()
    for text, times in counted:
        for letter, n in Counter(text.lower()).items():
            letters[letter] += n * times
    # the most frequent letters are named here, since the library breaks ties between them at random
    known = [c for c, _ in sorted(letters.items(), key=lambda item: (-item[1], item[0])) if not c.isspace()]
    known = known[: vocabulary - 2]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["[padding]", "[unknown]"],
        initial_alphabet=known,
        limit_alphabet=len(known),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for text, times in counted for _ in range(times)), trainer)
    return tokenizer.to_str()


@lru_cache(maxsize=8)
def load_tokenizer(serialised: str) -> Tokenizer:
    """The tokeniser behind its JSON; a RequestError where there is none behind it."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(serialised)
    except Exception as error:  # the library has no class of its own for what it cannot read
        raise RequestError(f"schema.text.tokenizer: is none ({error}); restore the file that holds it") from None
    tokenizer.encode_special_tokens = True  # "[padding]" in a text is ordinary text
    return tokenizer


def is_tokenizer(serialised: str, vocabulary: int) -> bool:
    """Whether the JSON is that of a tokeniser with so many ids."""
    try:
        return bool(load_tokenizer(serialised).get_vocab_size() == vocabulary)
    except Exception:  # the library has no class of its own for JSON that it does not understand
        return False


def tokenise(texts: Sequence[str], tokenizer: str, length: int) -> np.ndarray:
    """(texts, length) int64 ids, padded with 0. A text without a single token is one unknown token."""
    return tokenise_whole(texts, tokenizer, length)[0]


def tokenise_whole(texts: Sequence[str], tokenizer: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """`tokenise`, and the tokens that each whole text has (texts,) int64: more than `length` where it was cut."""
    loaded = load_tokenizer(tokenizer)
    ids = np.full((len(texts), length), PADDING, dtype=np.int64)
    tokens = np.zeros(len(texts), dtype=np.int64)
    for i, encoding in enumerate(loaded.encode_batch_fast(list(texts), add_special_tokens=False)):
        found = encoding.ids or [UNKNOWN]
        tokens[i] = len(found)
        ids[i, : len(found)] = found[:length]
    return ids, tokens


def words_of(text: str, tokenizer: str) -> list[str]:
    """The words of a text as the tokeniser divides them, before it cuts any into pieces."""
    loaded = load_tokenizer(tokenizer)
    return [word for word, _ in loaded.pre_tokenizer.pre_tokenize_str(loaded.normalizer.normalize_str(text))]


def count_tokens(texts: Sequence[str], tokenizer: str) -> np.ndarray:
    """(texts,) int64: the tokens of each, 1 where it has none."""
    loaded, counts = load_tokenizer(tokenizer), []
    for start in range(0, len(texts), _AT_ONCE):
        encoded = loaded.encode_batch_fast(list(texts[start : start + _AT_ONCE]), add_special_tokens=False)
        counts += [len(encoding.ids) or 1 for encoding in encoded]
    return np.array(counts, dtype=np.int64)
