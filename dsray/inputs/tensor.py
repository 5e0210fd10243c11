"""What a model reads of an input: tensors of a fixed shape, which have names of their own where there are several."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of an input.

    shape: of a row. dtype: of numpy, as the model reads it. range: lowest and highest value where the values are
    continuous, so that an attack may move them inside it; None for ids, counts and flags. ids: how many ids there are,
    from 0, where the values are such. element: what one of the values is called in sentences.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    range: tuple[float, float] | None = None
    ids: int | None = None
    element: str = "value"

    @property
    def continuous(self) -> bool:
        """Whether the values may be moved by small amounts."""
        return self.range is not None


def flat(name: str, part: str = "") -> str:
    """The name of a tensor in batches, columns and exported graphs: `photo`, or `visit/number` for one of several."""
    return f"{name}/{part}" if part else name
