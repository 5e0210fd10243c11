"""What the quickstart prints: one run of it by its command, and its closing table word for word."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.command import QUICKSTART, run_quickstart
from benchmarks.harness.benchmark import Benchmark, Rows
from dsray.record.words import seconds
from dsray.terminal.closing import closing_table


class Quickstart(Benchmark):
    """Seed 0, as `make run` runs it; the quick form is the same."""

    def rows(self) -> list[str]:
        """One run."""
        return ["seed 0"]

    def experiments(self, key: str) -> tuple[Path, ...]:
        """The quickstart's."""
        return (QUICKSTART,)

    def measure(self, key: str) -> dict[str, Any]:
        """The table by lines, every figure of the run, how it was judged, and its GPU, None without one."""
        with tempfile.TemporaryDirectory() as scratch:
            record = run_quickstart(int(key.removeprefix("seed ")), Path(scratch) / "quickstart")
            text = io.StringIO()
            Console(file=text, width=80, highlight=False, markup=False).print(closing_table(record))
            return {
                "table": [line.rstrip() for line in text.getvalue().splitlines()],
                "metrics": record.metrics,
                "timings": record.timings,
                "judge": record.experiment["adversarial"]["judge"],
                "gpu": record.manifest["host"]["gpu"],
            }

    def summary(self, rows: Rows) -> dict[str, Any]:
        """Nothing beyond the one row."""
        figures = rows["seed 0"]
        return {"table": figures["table"], "seconds_total": figures["timings"]["seconds_total"]}

    def table(self, rows: Rows) -> str:
        """The table as it was printed, and what stands beside its figures."""
        found = rows["seed 0"]
        printed = "\n".join(found["table"])
        timings = found["timings"]
        attacks = " and ".join(_in_words(attack) for attack in found["judge"]["attacks"])
        return (
            f"```\n{printed}\n```\n\n"
            f"Seed 0, {found['gpu'] or 'no GPU'}, digits with constructed questions. The undefended model has the same number "
            "of steps and is trained in the same run. A row counts as robust only if all attacks "
            f"({found['judge']['threat']['kind']}) fail: {attacks}. The run took {seconds(timings['seconds_total'])}, "
            f"its first training step came after {seconds(timings['seconds_to_first_step'])}."
        )


def _in_words(attack: dict[str, Any]) -> str:
    """`pgd (20 steps)`: what it may do more than once."""
    counts = [f"{value} {name}" for name, value in attack.items() if isinstance(value, int) and value > 1]
    return attack["kind"].replace("_", " ") + (f" ({', '.join(counts)})" if counts else "")
