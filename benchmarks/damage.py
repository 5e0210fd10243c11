"""What damage does: bytes that flip, files that are cut, stretches that become zeros, in everything that is read back.

Each try damages one file of a fresh copy and reads it the way its verb does. TensorBoard events and `report.html` are
not among them: nothing reads them back.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.readings import READINGS, Reading, Whole, make_whole
from dsray.base import DsrayError

TRIES = 300


@dataclass(frozen=True)
class Damage:
    """What is done to one file: from byte `at` on; length: of the zeros in bytes, or the bits that flip."""

    number: int
    kind: str
    file: str
    how: str
    at: int
    length: int

    def apply(self, root: Path) -> None:
        """Damage the file in `root`."""
        path = root / self.file
        content = bytearray(path.read_bytes())
        if self.how == "flip":
            content[self.at] ^= self.length
        elif self.how == "cut":
            del content[self.at :]
        else:
            content[self.at : self.at + self.length] = bytes(self.length)
        path.write_bytes(content)


def draw(number: int, whole: Whole) -> Damage:
    """A damage as a function of its number: the kind in turn, then a file, a way and a place in it, all equally likely."""
    dice = random.Random(number)
    kind = list(READINGS)[number % len(READINGS)]
    file = dice.choice(READINGS[kind].files(whole.root))
    content = (whole.root / file).read_bytes()
    how = dice.choice(("flip", "cut", "zeros"))
    while True:
        at = dice.randrange(len(content))
        length = {"flip": dice.randrange(1, 256), "cut": 0, "zeros": min(dice.randrange(1, 4096), len(content) - at)}[
            how
        ]
        if how != "zeros" or any(content[at : at + length]):  # where there are zeros already, nothing is damaged
            return Damage(number, kind, file, how, at, length)


def attempt(damage: Damage, whole: Whole) -> dict[str, Any]:
    """One row: the damage, what came of it, and what was said."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "copy"
        shutil.copytree(whole.root, root, symlinks=True)
        damage.apply(root)
        outcome, said = outcome_of(READINGS[damage.kind].read, root, whole.read[damage.kind])
    return {**vars(damage), "outcome": outcome, "said": said.replace(scratch, "")}


def outcome_of(read: Callable[[Path], Reading], root: Path, right: Reading) -> tuple[str, str]:
    """`refused`, `noticed`, `harmless`, or one of the three that must not be: `read as whole`, `wrong figures`,
    `traceback`."""
    try:
        found = read(root)
    except DsrayError as error:
        lines = str(error).splitlines()
        return ("refused", lines[0]) if len(lines) == 1 else ("traceback", str(error))
    except Exception as error:  # this is what is looked for
        return "traceback", f"{type(error).__name__}: {error}"
    if found.said:
        wrong = found.kept != right.kept
        return ("wrong figures" if wrong else "noticed"), found.said
    if found.kept != right.kept:
        return "wrong figures", ""
    return ("harmless" if found.parts == right.parts else "read as whole"), ""


def summary(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many tries ended how."""
    count = [row["outcome"] for row in rows].count
    return {
        "tried": len(rows),
        "refused": count("refused"),
        "noticed": count("noticed"),
        "harmless": count("harmless"),
        "read_as_whole": count("read as whole"),
        "tracebacks": count("traceback"),
        "wrong_figures": count("wrong figures"),
    }


def measure(
    save: Callable[[dict[str, Any]], None], *, quick: bool = False, earlier: dict[str, Any] | None = None
) -> dict[str, Any]:
    """300 tries, or 60; `save` is called after each, and tries that `earlier` holds are not repeated."""
    torch.set_num_threads(1)
    rows = list((earlier or {}).get("rows", []))
    found: dict[str, Any] = {"benchmark": "damage", "claim": "no damaged byte is read as whole", "rows": rows}
    with tempfile.TemporaryDirectory() as scratch:
        whole = make_whole(Path(scratch))
        done = {row["number"] for row in rows}
        for number in range(60 if quick else TRIES):
            if number not in done:
                rows.append(attempt(draw(number, whole), whole))
                found["summary"] = summary(rows)
                save(found)
    found["summary"] = summary(rows)
    save(found)
    return found
