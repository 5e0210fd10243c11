"""The experiment as it ran, and the versions it ran with."""

from __future__ import annotations

import re

from dsray.record.record import Record
from dsray.record.words import number
from dsray.report.layout import render
from dsray.report.sections.section import Section

_LINE = re.compile(r"(\s*(?:- )*)([\w./*-]+)(:.*)")


def experiment(record: Record) -> Section | None:
    """From `experiment.yaml` and `manifest.json`."""
    manifest = record.manifest
    host, data = manifest.get("host") or {}, manifest.get("data") or {}
    versions: dict[str, str | None] = {
        "dsray": manifest.get("dsray"),
        "python": manifest.get("python"),
        **(manifest.get("versions") or {}),
    }
    facts: list[tuple[str, str | None]] = [
        ("seed", number(manifest.get("seed"))),
        ("commit", manifest.get("git_commit")),
        *((f"{split} rows", number(rows)) for split, rows in (data.get("rows") or {}).items()),
        ("data fingerprint", data.get("fingerprint")),
        ("CPUs", number(host.get("cpus"))),
        ("memory", f"{number(host['memory_gib'])} GiB" if host.get("memory_gib") else None),
        ("GPU", host.get("gpu")),
        ("platform", host.get("platform")),
    ]
    body = render(
        "experiment.html",
        facts=[(name, value) for name, value in facts if value],
        versions=[(name, value) for name, value in versions.items() if value],
        lines=map(_parted, record.experiment_text.splitlines()),
    )
    return Section("experiment", "Experiment", body, "Everything needed to make this record again.")


def _parted(line: str) -> tuple[str, str, str]:
    """A line of YAML as what stands before its key, the key, which the page colours, and the rest."""
    found = _LINE.fullmatch(line)
    return (found[1], found[2], found[3]) if found else (line, "", "")
