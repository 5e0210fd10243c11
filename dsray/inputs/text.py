"""Texts: a column of strings -> token ids, by a byte-pair tokeniser that is learnt from the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from dsray.base import RequestError
from dsray.inputs.input import Encoded, InputConfig, InputSpec, Shown
from dsray.inputs.tensor import TensorSpec
from dsray.inputs.tokens import UNKNOWN, is_tokenizer, load_tokenizer, tokenise, tokenise_whole
from dsray.inputs.vocabulary import fit_tokens
from dsray.inputs.words import what


class TextInput(InputConfig):
    """A column of text, cut into byte-pair tokens learnt from the training rows.

    What is null of vocabulary and length is chosen from those rows too, as `dsray.inputs.vocabulary.fit_tokens` says.
    """

    kind: Literal["text"] = "text"
    column: str = Field(description="column that holds the text")
    vocabulary: int | None = Field(
        None,
        ge=8,
        le=65536,
        description="token ids at most, padding and unknown included; null: as many as make 95 % of the words that occur "
        "more than once in the training rows one token each, 256 to 8192",
    )
    length: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="tokens; longer texts are cut, shorter ones padded; null: as many as hold 95 % of the texts of the "
        "training rows, 256 at most",
    )

    @classmethod
    def gives(cls) -> type[InputSpec]:
        return TextSpec

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if holds_text(kind) else "text"

    def fit(self, train: pa.Table) -> TextSpec:
        texts = train.column(self.column).drop_null().to_pylist()
        length, vocabulary, tokenizer = fit_tokens(texts, self.vocabulary, self.length)
        return TextSpec(column=self.column, length=length, vocabulary=vocabulary, tokenizer=tokenizer)

    def learnt(self, spec: InputSpec) -> bool:
        if not isinstance(spec, TextSpec) or spec.column != self.column:
            return False
        return is_tokenizer(spec.tokenizer, spec.vocabulary)


class TextSpec(InputSpec):
    """A text: (length,) int64 token ids, 0 is padding and 1 is unknown."""

    kind: Literal["text"] = "text"
    column: str = Field(description="column of the source that holds the text")
    length: int = Field(ge=1, le=4096, description="tokens; longer texts are cut, shorter ones padded")
    vocabulary: int = Field(ge=2, le=65536, description="number of token ids")
    tokenizer: str = Field(description="the byte-pair tokeniser as JSON (Hugging Face tokenizers format)")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        return {"": TensorSpec((self.length,), "int64", ids=self.vocabulary)}

    def fault(self, column: str, kind: pa.DataType) -> str | None:
        return None if holds_text(kind) else "text"

    def check(self) -> None:
        load_tokenizer(self.tokenizer)

    def encode(self, table: pa.Table, field: str) -> Encoded:
        """Null means missing: only padding.

        Marks the rows whose text is longer than `length` as `cut`, and those of whose kept tokens any is `unknown`.
        """
        column = table.column(self.column)
        values = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
        ids = np.zeros((len(values.dictionary) + 1, self.length), dtype=np.int64)
        cut = np.zeros(len(ids), dtype=np.bool_)
        ids[:-1], tokens = tokenise_whole(values.dictionary.to_pylist(), self.tokenizer, self.length)
        cut[:-1] = tokens > self.length
        index = values.indices.fill_null(len(values.dictionary)).to_numpy()
        marks = {"cut": cut[index], "unknown": (ids == UNKNOWN).any(axis=1)[index]}
        return Encoded({"": ids[index]}, column.is_valid().to_numpy(zero_copy_only=False), marks)

    def read(self, values: Sequence[Any], fields: Sequence[str]) -> dict[str, np.ndarray]:
        """values: strings."""
        for value, field in zip(values, fields, strict=True):
            if not isinstance(value, str):
                raise RequestError(f"{field}: got {what(value)}; needs a string or null")
        return {"": tokenise(list(values), self.tokenizer, self.length)}

    def request_schema(self) -> dict[str, Any]:
        return {"description": "text; null hides it", "anyOf": [{"type": "string"}, {"type": "null"}]}

    def example(self) -> str:
        return "a text"

    def request_of(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Any:
        return raw[self.column]

    def show(self, values: Mapping[str, np.ndarray], raw: Mapping[str, Any]) -> Shown:
        return Shown("text/plain", str(raw[self.column]))

    def about(self) -> dict[str, Any]:
        return {"kind": self.kind, "length": self.length, "vocabulary": self.vocabulary}

    def facts(self) -> str:
        return f"{self.length:,} tokens of {self.vocabulary:,} ids"

    def csv_types(self) -> dict[str, pa.DataType]:
        return {self.column: pa.string()}


def holds_text(kind: pa.DataType) -> bool:
    """Strings, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        return holds_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
