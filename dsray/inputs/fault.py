"""A value of a row that cannot be read."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from dsray.base import RequestError


@dataclass(eq=False)
class RowFault(RequestError):
    """A value that cannot be read.

    row: of the table, or of `split` as the source gave it where the table is numbered. what: `holds 3 bytes ...`.
    """

    field: str
    column: str
    row: int
    what: str
    split: str | None = None

    def __post_init__(self) -> None:
        self.args = astuple(self)  # from which it is made again in another process

    def __str__(self) -> str:
        return self.sentence(f"row {self.row}" + (f" of the {self.split} rows" if self.split else ""))

    def sentence(self, place: str) -> str:
        """The whole sentence for a row that is called `place`."""
        return f"{self.field}: column '{self.column}', {place}, {self.what}"
