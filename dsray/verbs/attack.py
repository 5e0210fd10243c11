"""`dsray attack`: judge the robustness of a finished run again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from dsray.base.routed import Routed
from dsray.engine import JudgeConfig
from dsray.record.cautions import of_judgement, wording_of
from dsray.record.judgements import in_words
from dsray.record.words import sentence
from dsray.report.html import write_report
from dsray.runner.attack import attack_step
from dsray.runner.run import models_of
from dsray.runner.writer import writing
from dsray.verbs.finished import at_work, changed, open_finished


def attack_run(
    run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console, command: list[str]
) -> None:
    """Judge the models of a run again, by `judge.` overrides, and write `attack.json` and the report anew.

    A judgement by other terms than the experiment's own stands beside it; `metrics.json` keeps the experiment's own.
    """
    record, original = open_finished(run, trust)
    own = original.adversarial
    given = [f"adversarial.{text}" for text in overrides]
    experiment = changed(original, given, "judge.", "adversarial.judge.")
    judge = experiment.adversarial.judge if experiment.adversarial else JudgeConfig()
    with writing(record, command, console), at_work(record, experiment, local) as (place, data):
        model, twin, data = models_of(record, original, data)
        models: dict[str, Routed] = {"": model}
        if twin is not None:
            models["_undefended"] = twin
        same = own is not None and judge == own.judge
        report = attack_step(record, data, judge, experiment.seed, models, place, own=same)
        write_report(record)
    console.print(
        f"robust accuracy {100 * report['robust_accuracy']:.1f} % at {in_words(report, ['epsilon'])} on {report['rows']} test "
        f"rows ({', '.join(report['attacks'])}); clean {100 * report['clean_accuracy']:.1f} %",
        soft_wrap=True,
    )
    for said in of_judgement(report, wording_of(record)):
        console.print(sentence(said), soft_wrap=True, highlight=False)
    if not report["own"]:
        kept = "keeps the judgement that the experiment names" if own else "has none: the experiment names no judgement"
        console.print(f"kept in judgements.json; metrics.json {kept}", soft_wrap=True)
