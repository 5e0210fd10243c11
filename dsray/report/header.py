"""The head of a report: name, state, key figures as tiles, the command that repeats the run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from dsray.base.templates import Html
from dsray.record.cautions import own_figure
from dsray.record.figures import figures_of
from dsray.record.int8 import int8_figures
from dsray.record.judgements import in_words, own_judgement
from dsray.record.record import Record
from dsray.record.words import count, headed, percent, points, seconds, short_label, size, spoken
from dsray.report.layout import render


def header(record: Record) -> Html:
    """The head card, after a banner when the run has failed or was interrupted."""
    status = record.status
    return render(
        "head.html",
        name=record.name,
        state=status["state"],
        error=status.get("error"),
        facts=_facts(record),
        tiles=[(headed(name), shown, small) for name, shown, small in _tiles(record)],
        command=shlex.join(record.manifest.get("command") or []),
    )


def _facts(record: Record) -> Iterator[str]:
    manifest = record.manifest
    try:
        yield f"{datetime.fromisoformat(str(manifest.get('created'))):%-d %B %Y, %H:%M} UTC"
    except ValueError:
        yield "date unknown"
    data = manifest.get("data") or {}
    if data.get("rows"):
        known = [split for split in ("train", "validation", "test") if split in data["rows"]]
        splits = ", ".join(f"{data['rows'][split]:,} {split}" for split in known)
        yield f"{data.get('source', 'data')}: {splits} rows"
    if manifest.get("seed") is not None:
        yield f"seed {manifest['seed']}"
    versions = manifest.get("versions") or {}
    yield from (f"{name} {versions[name]}" for name in ("torch", "ray") if versions.get(name))
    host = manifest.get("host") or {}
    if host.get("cpus"):
        yield count(host["cpus"], "CPU") + (f", {host['gpu']}" if host.get("gpu") else "")
    trained = record.read_json("model/training.json") or {}
    if trained.get("device", "cpu") != "cpu":
        yield f"trained on {trained['device']}"


def _tiles(record: Record) -> Iterator[tuple[str, str, str]]:
    """(name of the figure, its value, what is small beside it)."""
    metrics, timings = {**record.metrics, **int8_figures(record)}, record.timings
    compressed = record.read_json("compressed/report.json") or {}
    get = metrics.get
    accuracy, plain = get("test_accuracy"), get("test_accuracy_undefended")
    if accuracy is not None:
        own = own_figure(record)
        lines = figures_of(record)
        beside = f"{spoken(own, get(own), lines)} {short_label(own, lines)}" if own else ""
        twin = "" if plain is None else f"{percent(plain)} undefended"
        yield (
            "test_accuracy",
            spoken("test_accuracy", accuracy),
            ", ".join(filter(None, [beside, twin])) or "on the test split",
        )
    robust, other = get("robust_accuracy"), get("robust_accuracy_undefended")
    if robust is not None:
        terms = in_words(own_judgement(record), ["epsilon"])
        where = f"at {terms}" if terms else ""
        yield (
            "robust_accuracy",
            spoken("robust_accuracy", robust),
            where if other is None else f"{percent(other)} undefended, {where}".strip(", "),
        )
    if get("int8_accuracy") is not None:
        torch = compressed.get("accuracy_torch")
        shown = spoken("int8_accuracy", get("int8_accuracy"))
        yield "int8_accuracy", shown, "" if torch is None else f"{percent(torch)} in fp32"
    if get("size_ratio"):
        stored = compressed.get("size_bytes_int8")
        yield "size_ratio", spoken("size_ratio", get("size_ratio")), f"of fp32{f', {size(stored)}' if stored else ''}"
    if get("skip_rate") is not None:
        cost = get("skip_loss_points")
        yield "skip_rate", spoken("skip_rate", get("skip_rate")), "" if cost is None else f"{points(-cost)} of accuracy"
    if timings.get("seconds_total") is not None:
        first = timings.get("seconds_to_first_step")
        total = timings["seconds_total"]
        shown = f"{total:.0f} s" if 60 <= total < 600 else seconds(total)
        yield (
            "seconds_total",
            shown,
            "" if first is None else f"first step after\u00a0{seconds(first)}".replace(" s", "\u00a0s"),
        )
