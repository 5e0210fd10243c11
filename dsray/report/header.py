"""The head of a report: name, state, key figures as tiles, the command that repeats the run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from dsray.record.cautions import is_uneven
from dsray.record.int8 import int8_figures
from dsray.record.judgements import in_words, own_judgement
from dsray.record.record import Record
from dsray.record.words import count, percent, points, seconds, size
from dsray.report.markup import Child, Html, el


def header(record: Record) -> list[Child]:
    """The head card, after a banner when the run has failed or was interrupted."""
    status, manifest = record.status, record.manifest
    state = status["state"]
    badge = el(
        "span",
        state,
        class_=f"badge {'good' if state == 'done' else 'bad' if state in ('failed', 'interrupted') else ''}".strip(),
    )
    tiles = [_tile(*tile) for tile in _tiles(record)]
    card = el(
        "header",
        el("p", "dsray run record", class_="eyebrow"),
        el("div", el("h1", record.name), badge, class_="title"),
        el("ul", (el("li", fact) for fact in _facts(record)), class_="facts"),
        el("dl", tiles, class_="tiles") if tiles else el("p"),
        _command(manifest.get("command") or []),
        class_="card",
    )
    return [_banner(state, status.get("error")), card]


def _banner(state: str, error: str | None) -> Html | None:
    if error:
        return el("div", el("b", "The run failed: "), error, class_="card banner")
    if state == "interrupted":
        return el(
            "div", el("b", "The run was interrupted: "), "its command with --resume goes on", class_="card banner"
        )
    return None


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
    metrics, timings = {**record.metrics, **int8_figures(record)}, record.timings
    compressed = record.read_json("compressed/report.json") or {}
    get = metrics.get
    accuracy, plain = get("test_accuracy"), get("test_accuracy_undefended")
    if accuracy is not None:
        balanced = f"{percent(get('test_balanced_accuracy'))} balanced" if is_uneven(record) else ""
        twin = "" if plain is None else f"{percent(plain)} undefended"
        yield "Accuracy", percent(accuracy), ", ".join(filter(None, [balanced, twin])) or "on the test split"
    robust, other = get("robust_accuracy"), get("robust_accuracy_undefended")
    if robust is not None:
        terms = in_words(own_judgement(record), ["epsilon"])
        where = f"at {terms}" if terms else ""
        yield (
            "Robust accuracy",
            percent(robust),
            where if other is None else f"{percent(other)} undefended, {where}".strip(", "),
        )
    if get("int8_accuracy") is not None:
        torch = compressed.get("accuracy_torch")
        yield "int8 accuracy", percent(get("int8_accuracy")), "" if torch is None else f"{percent(torch)} in fp32"
    if get("size_ratio"):
        stored = compressed.get("size_bytes_int8")
        yield "int8 size", percent(get("size_ratio"), 0), f"of fp32{f', {size(stored)}' if stored else ''}"
    if get("skip_rate") is not None:
        cost = get("skip_loss_points")
        yield "Blocks skipped", percent(get("skip_rate")), "" if cost is None else f"{points(-cost)} of accuracy"
    if timings.get("seconds_total") is not None:
        first = timings.get("seconds_to_first_step")
        total = timings["seconds_total"]
        shown = f"{total:.0f} s" if 60 <= total < 600 else seconds(total)
        yield "Time", shown, "" if first is None else f"first step after\u00a0{seconds(first)}".replace(" s", "\u00a0s")


def _tile(label: str, big: str, small: str) -> Html:
    return el("div", el("dt", label), el("dd", big, class_="big"), el("dd", small, class_="small"), class_="tile")


def _command(words: list[str]) -> Html | None:
    if not words:
        return None
    return el(
        "div",
        el("code", shlex.join(words)),
        class_="command",
        aria_label="the command that repeats this run",
        role="group",
    )
