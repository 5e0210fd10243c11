"""What is learnt of a text column from the training rows: tokeniser, vocabulary and length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dsray.inputs.tokens import count_tokens, learn_tokenizer, load_tokenizer, words_of

COVERED = 0.95
LEAST_VOCABULARY, MOST_VOCABULARY = 256, 8192
MOST_LENGTH = 256


def fit_tokens(texts: Sequence[str], vocabulary: int | None, length: int | None) -> tuple[int, int, str]:
    """Length, vocabulary and tokeniser (as JSON) of a text column.

    texts: those of the training rows. What is None is chosen from them:

    - vocabulary: the fewest ids with which every letter has one and 95 % of the occurrences of words that occur more
      than once are one token each; at least 256 and at most 8,192.
    - length: the fewest tokens that hold 95 % of the texts whole, at most 256.
    """
    tokenizer = learn_tokenizer(texts, vocabulary or MOST_VOCABULARY)
    if vocabulary is None and (fewer := choose_vocabulary(texts, tokenizer)) < MOST_VOCABULARY:
        tokenizer = learn_tokenizer(texts, fewer)
    length = length or choose_length(count_tokens(texts, tokenizer))
    return length, load_tokenizer(tokenizer).get_vocab_size(), tokenizer


def choose_vocabulary(texts: Sequence[str], tokenizer: str) -> int:
    """The ids that `fit_tokens` speaks of.

    tokenizer: of `MOST_VOCABULARY` ids; one of fewer is the beginning of it.
    """
    ids = load_tokenizer(tokenizer).get_vocab()
    words = Counter(word for text, times in Counter(texts).items() for word in words_of(text, tokenizer) * times)
    common = {word: times for word, times in words.items() if times > 1}
    places = np.array([ids.get(word, MOST_VOCABULARY) for word in common], dtype=np.int64)
    times = np.array(list(common.values()), dtype=np.int64)
    order = np.argsort(places, kind="stable")
    letters = max((place for token, place in ids.items() if len(token) == 1), default=0)
    enough = np.cumsum(times[order]) >= COVERED * times.sum()
    last = int(places[order][enough.argmax()]) if len(common) else 0
    return min(max(LEAST_VOCABULARY, letters + 1, last + 1), MOST_VOCABULARY)


def choose_length(tokens: np.ndarray) -> int:
    """The tokens that `fit_tokens` speaks of. tokens: (texts,) of each training text."""
    if not len(tokens):
        return 1
    return int(min(np.percentile(tokens, 100 * COVERED, method="inverted_cdf"), MOST_LENGTH))
