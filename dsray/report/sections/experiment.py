"""The experiment as it ran, and the versions it ran with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dsray.record.record import Record
from dsray.record.words import number
from dsray.report.markup import Child, el
from dsray.report.sections.section import Section, columns, table

_LINE = re.compile(r"(\s*(?:- )*)([\w./*-]+)(:)(.*)")


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
    body = el(
        "div",
        columns(
            table(["run", ""], [[name, value] for name, value in facts if value], words=(1,)),
            table(["package", "version"], [[name, value] for name, value in versions.items() if value]),
        ),
        el(
            "details",
            el("summary", "experiment.yaml, every field resolved"),
            el("pre", _coloured(record.experiment_text), tabindex=0),
        ),
    )
    return Section("experiment", "Experiment", body, "Everything needed to make this record again.")


def _coloured(text: str) -> Iterator[Child]:
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found:
            yield from (found[1], el("span", found[2], class_="k"), found[3], found[4], "\n")
        else:
            yield from (line, "\n")
