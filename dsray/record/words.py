"""How figures are written: each in its unit, and the names of things in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsray.base.figures import Figure, figure

_HIDDEN = "test_accuracy_without_"


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.974 -> `97.4 %`; empty for None."""
    return "" if fraction is None else f"{fraction * 100:.{digits}f} %"


def points(value: float) -> str:
    """A difference in percentage points with its sign: `+0.1 points`, `0.0 points`."""
    rounded = round(value, 1) or 0.0
    return f"{rounded:+.1f} points" if rounded else "0.0 points"


def seconds(value: float | None) -> str:
    """3.21 -> `3.2 s`, 75 -> `1 min 15 s`, 7300 -> `2 h 01 min`; empty for None."""
    if value is None:
        return ""
    if value < 59.95:
        return f"{value:.1f} s" if value >= 0.95 else f"{value:.2f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def milliseconds(value: float | None) -> str:
    """0.431 -> `0.43 ms`; empty for None."""
    return "" if value is None else f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"


def size(count: float | None) -> str:
    """Bytes with three figures: 226118 -> `226 kB`; empty for None."""
    if count is None:
        return ""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def number(value: Any) -> str:
    """A number as people write it: 1,100 · 0.0031 · 3.1e-06; anything else as text; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
    return f"{int(value):,}" if whole else f"{value:.4g}"


def spoken(name: str, value: Any, own: Sequence[Figure] = ()) -> str:
    """A figure where it stands alone, in the unit that the table of figures, or `own`, gives it; empty for None."""
    return in_unit(value, figure(name, own).unit)


def in_unit(value: Any, unit: str | None) -> str:
    """A value in a unit of the table of figures, a bare one for None; anything but a number as text, empty for None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return number(value)
    match unit:
        case "share" | "score":
            return percent(value)
        case "ratio":
            return percent(value, 0)
        case "points":
            return points(value)
        case "seconds":
            return seconds(value)
        case "milliseconds":
            return milliseconds(value)
    return number(value)


def headed(name: str) -> str:
    """The label of a figure as a heading; `int8` and its like are names and stay as they are."""
    label = figure(name).label
    return f"{label[:1].upper()}{label[1:]}" if label.split()[0].isalpha() else label


def short_label(name: str, own: Sequence[Figure] = ()) -> str:
    """The label of a figure beside an accuracy: `balanced` for the balanced accuracy, `macro F1`."""
    return figure(name, own).label.removesuffix(" accuracy")


def count(value: int, noun: str) -> str:
    """`1 row`, `1,080 rows`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def plain_name(name: str) -> str:
    """`test_macro_f1` -> `test macro f1`."""
    return name.replace("_", " ").replace("/", ", ")


def hidden(metric: str, manifest: dict[str, Any]) -> str | None:
    """`test_accuracy_without_note` -> `with the note hidden`, by the column that it reads where that is known."""
    _, found, name = metric.partition(_HIDDEN)
    if not found:
        return None
    columns = (manifest.get("data") or {}).get("inputs") or {}
    return figure(f"{_HIDDEN}{columns.get(name, name)}").label


def listed(names: Sequence[str], most: int = 5) -> str:
    """`'scratch', 'dent'`; beyond `most` names how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def sentence(words: str) -> str:
    """`words` with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."
