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
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.benchmark import Benchmark, Rows
from benchmarks.readings import READINGS, Reading, Whole, make_whole
from dsray.base import DsrayError

OUTCOMES = ("refused", "noticed", "harmless", "read as whole", "wrong figures", "traceback")
"""How a try may end; the last three must not be."""


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
    """One of `OUTCOMES`, and what was said."""
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


class Damages(Benchmark):
    """300 tries, or 60; one whole run is made for all of them."""

    def rows(self) -> list[str]:
        """The number of each try."""
        return [str(number) for number in range(60 if self.quick else 300)]

    def experiments(self, key: str) -> tuple[Path, ...]:
        """None: the experiment stands in `readings.py`."""
        return ()

    def measure(self, key: str) -> dict[str, Any]:
        """The damage of that number, and what came of it."""
        return attempt(draw(int(key), self._whole), self._whole)

    def summary(self, rows: Rows) -> dict[str, int]:
        """How many tries ended how."""
        count = [row["outcome"] for row in rows.values()].count
        return {"tried": len(rows)} | {outcome: count(outcome) for outcome in OUTCOMES}

    def table(self, rows: Rows) -> str:
        """Ways to end by kinds of files."""
        kinds, ended = list(READINGS), [(row["outcome"], row["kind"]) for row in rows.values()]
        words = {
            "refused": "refused in one sentence",
            "noticed": "said and worked around, figures as before",
            "harmless": "nothing that is read was lost",
        }
        lines = [("what came of it", *kinds), ("---",) * (1 + len(kinds))]
        lines += [(words.get(way, way), *(str(ended.count((way, kind))) for kind in kinds)) for way in OUTCOMES]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + (
            f"\n\n{len(rows)} tries on a small run of digits with constructed questions, each with a byte that flips, a file "
            "that is cut or a stretch that becomes zeros in a fresh copy; the last three must be 0."
        )

    @cached_property
    def _whole(self) -> Whole:
        torch.set_num_threads(1)
        self._scratch = tempfile.TemporaryDirectory()
        return make_whole(Path(self._scratch.name))
