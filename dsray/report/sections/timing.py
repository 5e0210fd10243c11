"""Where the time went."""

from __future__ import annotations

from dsray.record.record import Record
from dsray.record.words import plain_name, seconds, spoken
from dsray.report.charts import Bar, bar_chart
from dsray.report.layout import render
from dsray.report.sections.section import Section


def timing(record: Record) -> Section | None:
    """From `timings.json`."""
    timings = {name: value for name, value in record.timings.items() if value is not None}
    if not timings:
        return None
    phases = {n.removeprefix("seconds/"): v for n, v in timings.items() if n.startswith("seconds/")}
    ordered = sorted(phases.items(), key=lambda item: -item[1])
    bars = [Bar(name, value, seconds(value), 1) for name, value in ordered]
    rest = [[plain_name(n), spoken(n, v)] for n, v in timings.items() if not n.startswith("seconds/")]
    body = render("timing.html", phases=bar_chart("Seconds per phase", bars), rest=rest)
    total = timings.get("seconds_total")
    lead = "" if total is None else f"{seconds(total)} in all{_stretches(record)}."
    return Section("time", "Time", body, lead)


def _stretches(record: Record) -> str:
    """How often the run was resumed, and where: seconds are summed over its stretches."""
    steps = [stretch.get("from_step") for stretch in record.manifest.get("stretches") or []]
    return f", in {len(steps)} stretches, from step {', '.join(map(str, steps))}" if len(steps) > 1 else ""
