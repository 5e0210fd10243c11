"""What `dsray check` says of an experiment."""

from __future__ import annotations

from rich.console import Console

from dsray.data import prepare
from dsray.experiment import Experiment
from dsray.models import count_parameters, skeleton
from dsray.verbs.check import outline


def test_the_memory_of_the_average_is_that_of_the_weights_once_more():
    def memory(train):
        x = Experiment.parse({"data": {"source": "digits"}, "model": {"width": 256}, "train": train})
        console = Console(width=200)
        with console.capture() as caught:
            console.print(outline(x))
        (line,) = (line for line in caught.get().splitlines() if line.startswith("memory"))
        return int(line.split()[2].replace(",", "")), line, x

    (plain, said, x), (averaged, said_of_both, _) = memory({}), memory({"average": {}})
    whole = count_parameters(skeleton(x.model, prepare(x.data).schema))["total"] * 4 / 2**20
    assert abs(averaged - plain - whole) <= 1 < whole - 1
    assert "average" not in said and "weights, their average, AdamW state" in said_of_both
