"""Text -> token ids: a byte-pair tokeniser (Sennrich et al. 2016) learnt from the training rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dsray.base import RequestError
from dsray.data.counts import mark
from dsray.data.schema import TextSpec

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


def tokenise(texts: Sequence[str], spec: TextSpec) -> np.ndarray:
    """(texts, length) int64 ids, padded with 0. A text without a single token is one unknown token."""
    return tokenise_whole(texts, spec)[0]


def tokenise_whole(texts: Sequence[str], spec: TextSpec) -> tuple[np.ndarray, np.ndarray]:
    """`tokenise`, and the tokens that each whole text has (texts,) int64: more than `spec.length` where it was cut."""
    tokenizer = load_tokenizer(spec.tokenizer)
    ids = np.full((len(texts), spec.length), PADDING, dtype=np.int64)
    tokens = np.zeros(len(texts), dtype=np.int64)
    for i, encoding in enumerate(tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)):
        found = encoding.ids or [UNKNOWN]
        tokens[i] = len(found)
        ids[i, : len(found)] = found[: spec.length]
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


def encode_text(table: pa.Table, spec: TextSpec) -> pa.Table:
    """Adds `text` (fixed-size list int64) and `present.text`; null means missing: only padding.

    Marks the rows whose text is longer than `spec.length` as `cut`, and those of whose kept tokens any is unknown.
    """
    column = table.column(f"raw.{spec.column}")
    values = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    ids = np.zeros((len(values.dictionary) + 1, spec.length), dtype=np.int64)
    cut = np.zeros(len(ids), dtype=np.bool_)
    ids[:-1], tokens = tokenise_whole(values.dictionary.to_pylist(), spec)
    cut[:-1] = tokens > spec.length
    index = values.indices.fill_null(len(values.dictionary)).to_numpy()
    text = pa.FixedSizeListArray.from_arrays(pa.array(ids[index].reshape(-1)), spec.length)
    present = pa.array(column.is_valid().to_numpy(zero_copy_only=False))
    table = table.append_column("text", text).append_column("present.text", present)
    return mark(table, "text", {"cut": cut[index], "unknown": (ids == UNKNOWN).any(axis=1)[index]})
