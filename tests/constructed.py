"""A constructed record: every file of a run, with made-up figures of plausible size. Nothing here was measured."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dsray.record.record import Record

CLASSES = [*"0123456789", "no", "yes"]
QUESTIONS = ["Which digit is this?", "Is the number even?", "Is it larger than five?", "Tell me the number shown here."]
EXPERIMENT = """\
format: 1
name: quickstart
seed: {seed}
data:
  kind: digits   # constructed
  noise: 0.1
train:
  batch_rows: 64
  threads: 2
  rates:
    kind: cosine
    peak_value: 0.003
adversarial:
  stages:
  - name: pgd
    epsilon: {epsilon}
    steps: 500
"""


def picture(seed: int, noise: float = 0.0) -> str:
    """An 8 x 8 image of random strokes as a data URI."""
    rng = np.random.default_rng(seed)
    image = np.zeros((8, 8))
    place = np.array([1.0, 3.5])
    for _ in range(14):
        image[tuple(place.round().astype(int) % 8)] = 1.0
        place += rng.normal(0.3, 0.9, 2)
    image = np.clip(image + noise * rng.choice([-1, 1], (8, 8)), 0, 1)
    file = io.BytesIO()
    Image.fromarray((image * 255).astype(np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def png(content: str) -> dict[str, str]:
    return {"media": "image/png", "content": content}


def words(content: str) -> dict[str, str]:
    return {"media": "text/plain", "content": content}


def manifest(seed: int) -> dict[str, Any]:
    return {
        "format": 1,
        "name": "quickstart",
        "seed": seed,
        "created": "2026-05-04T09:30:00+00:00",
        "dsray": "0.1.0",
        "versions": {
            "torch": "2.13.0+cpu",
            "ray": "2.60.0",
            "numpy": "2.4.6",
            "onnxruntime": "1.32.0",
            "pyarrow": "26.0.1",
            "optuna": "5.0.0",
        },
        "python": "3.11.7",
        "git_commit": "3008a97d5a0f7d6f5f9c30bb3bcb3f6ce4b0b7a1",
        "host": {"cpus": 2, "memory_gib": 15.6, "platform": "Linux-6.1-x86_64-with-glibc2.36", "gpu": None},
        "command": ["dsray", "run", "jobs/experiments/quickstart.yaml", "train.threads=2"],
        "overrides": ["train.threads=2"],
        "data": {
            "fingerprint": "9f2c41d7a0b3",
            "rows": {"train": 3441, "validation": 540, "test": 1080},
            "counts": {
                split: {"text": {"missing": 0, "cut": cut}, "label": {"missing": 0, "unknown": 0}}
                for split, cut in (("train", 413), ("validation", 0), ("test", 1))
            },
            "notes": ["12 test rows also stand in training"],
            "source": "digits",
            "inputs": {"image": "image", "text": "question"},
        },
    }


def history(rng: np.random.Generator, defended: bool) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    stages = [("clean", 600), ("pgd", 500)] if defended else [("clean", 1100)]
    step = 0
    for stage, steps in stages:
        lines.append({"kind": "stage", "step": step, "stage": stage, "event": "begin"})
        for at in range(10, steps + 1, 10):
            now = step + at
            task = 2.3 * math.exp(-now / 180) + 0.08 + 0.05 * rng.random() + (0.25 if stage == "pgd" else 0)
            line = {
                "kind": "step",
                "step": now,
                "total": 1100,
                "stage": stage,
                "stage_step": at,
                "stage_steps": steps,
                "time_s": now * 0.016,
                "rows": now * 64,
                "term/task": task,
                "epsilon": min(0.1, 0.2 * at / steps) if stage == "pgd" else 0.0,
                "rate": 0.0015 * (1 + math.cos(math.pi * now / 1100)),
                "rate/text": 0.00075 * (1 + math.cos(math.pi * now / 1100)),
                "grad_norm": 1 + rng.random(),
            }
            if stage == "pgd":
                line["term/adversarial"] = 0.9 + 0.4 * line["epsilon"] / 0.1 - 0.3 * at / steps
            line["loss"] = line["term/task"] + line.get("term/adversarial", 0.0) / 2
            lines.append(line)
            if now % 100 == 0:
                ran = rng.multinomial(540, [0.3, 0.35, 0.35])
                lines.append(
                    {
                        "kind": "validation",
                        "step": now,
                        "stage": stage,
                        "accuracy": 0.985 - 0.6 * math.exp(-now / 160) - (0.01 if stage == "pgd" else 0),
                        "loss": task,
                        "skip_rate": 0.36 * (1 - math.exp(-now / 300)),
                        "expert_load": rng.dirichlet([30] * 4, 3).tolist(),
                        "blocks_run": ran.tolist(),
                    }
                )
        step += steps
        lines.append({"kind": "stage", "step": step, "stage": stage, "event": "end", "reason": "steps done"})
    return lines


def evaluation(rng: np.random.Generator) -> dict[str, Any]:
    confusion = np.diag(rng.integers(60, 120, 12))
    for _ in range(26):
        confusion[tuple(rng.integers(0, 12, 2))] += 1
    right, said, asked = np.diag(confusion), confusion.sum(0), confusion.sum(1)
    confidence = np.linspace(1 / 30, 29 / 30, 15)
    rows = [0, 0, 1, 2, 4, 6, 8, 11, 15, 21, 30, 44, 75, 160, 703]
    shape = {"split": "test", "classes": CLASSES, "confusion": confusion.tolist()}
    return {
        **shape,
        "per_class": [
            {
                "class": name,
                "precision": right[i] / said[i],
                "recall": right[i] / asked[i],
                "f1": 2 * right[i] / (said[i] + asked[i]),
                "rows": int(asked[i]),
            }
            for i, name in enumerate(CLASSES)
        ],
        "reliability": [
            {"confidence": c, "accuracy": min(1.0, c + 0.07 * math.sin(7 * c)), "rows": n}
            for c, n in zip(confidence, rows, strict=True)
        ],
        "routing": {
            "blocks_run": {"1": 312, "2": 410, "3": 358},
            "accuracy_by_blocks": {"1": 0.997, "2": 0.981, "3": 0.952},
            "expert_load": rng.dirichlet([12] * 4, 3).tolist(),
            "expert_by_class": rng.dirichlet([0.7] * 4, 12).tolist(),
            "confidence_threshold": 0.9,
        },
        "groups": {
            "question_kind": {
                "digit": {"accuracy": 0.968, "rows": 360},
                "even": {"accuracy": 0.975, "rows": 360},
                "larger": {"accuracy": 0.981, "rows": 360},
            }
        },
        "examples": [
            {
                "inputs": {"image": png(picture(i)), "text": words(QUESTIONS[i % 4])},
                "target": CLASSES[i],
                "prediction": CLASSES[i if i % 5 else (i + 3) % 12],
                "confidence": 0.99 - 0.035 * i,
                "blocks_run": 1 + i % 3,
            }
            for i in range(12)
        ],
    }


def attack() -> dict[str, Any]:
    epsilons = [0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2]
    return {
        "epsilon": 0.1,
        "rows": 300,
        "attacks": ["pgd-20", "random_search"],
        "robust_accuracy": 0.683,
        "robust_accuracy_undefended": 0.407,
        "clean_accuracy": 0.974,
        "curve": [
            {
                "epsilon": e,
                "robust_accuracy": 0.974 / (1 + math.exp((e - 0.14) / 0.04)) + 0.03,
                "robust_accuracy_undefended": 0.987 / (1 + math.exp((e - 0.085) / 0.025)),
            }
            for e in epsilons
        ],
        "per_attack": {"pgd-20": 0.69, "random_search": 0.81},
        "examples": [
            {
                "clean": png(picture(i)),
                "adversarial": png(picture(i, 0.1)),
                "difference": png(picture(i, 0.5)),
                "others": {"text": words(QUESTIONS[i % 4])},
                "target": CLASSES[i],
                "prediction_clean": CLASSES[i],
                "prediction_adversarial": CLASSES[(i + i % 2) % 12],
            }
            for i in range(6)
        ],
    }


def compression() -> dict[str, Any]:
    engines = {
        "torch eager fp32": (1.92, 9.4),
        "onnxruntime fp32": (0.41, 2.1),
        "onnxruntime int8": (0.43, 2.3),
    }
    return {
        "accuracy_torch": 0.974,
        "accuracy_int8": 0.9731,
        "adversarial_torch": 0.683,
        "adversarial_int8": 0.679,
        "loss_points": 0.09,
        "adversarial_loss_points": 0.4,
        "size_bytes_fp32": 812_340,
        "size_bytes_int8": 226_118,
        "size_ratio": 226_118 / 812_340,
        "parity": {"rows": 1080, "same_route": 0.9991, "max_abs_logit": 3.1e-6},
        "speed": [
            {"engine": name, "batch": batch, "ms_median": ms}
            for name, pair in engines.items()
            for batch, ms in zip((1, 32), pair, strict=True)
        ],
    }


def tune(rng: np.random.Generator) -> dict[str, Any]:
    values = [0.661, *(0.6 + 0.11 * rng.random(11))]
    best = [max(values[: i + 1]) for i in range(12)]
    steps = list(range(0, 500, 10))
    return {
        "objective": "robust_accuracy",
        "direction": "maximize",
        "best_trial": int(np.argmax(values)),
        "best_value": max(values),
        "default_value": values[0],
        "history": [
            {"trial": i, "value": v, "best_so_far": b} for i, (v, b) in enumerate(zip(values, best, strict=True))
        ],
        "epsilon_schedule": {"steps": steps, "values": [min(0.11, 0.03 + 0.0004 * s) for s in steps]},
    }


METRICS = {
    "test_accuracy": 0.974,
    "test_balanced_accuracy": 0.972,
    "test_macro_f1": 0.9715,
    "test_calibration_error": 0.0143,
    "val_accuracy": 0.976,
    "test_accuracy_without_image": 0.401,
    "test_accuracy_without_text": 0.497,
    "robust_accuracy": 0.683,
    "robust_accuracy_undefended": 0.407,
    "test_accuracy_undefended": 0.987,
    "skip_rate": 0.318,
    "skip_loss_points": 0.1,
    "test_accuracy_full": 0.975,
    "int8_accuracy": 0.9731,
    "int8_loss_points": 0.09,
    "int8_adversarial_loss_points": 0.4,
    "size_ratio": 0.2784,
    "parity_same_route": 0.9991,
    "parity_max_abs_logit": 3.1e-6,
    "mean_train_epsilon": 0.075,
    "parameters": 187_468,
    "active_parameters": 96_210,
    "steps": 1100,
}
TIMINGS = {
    "seconds_total": 46.2,
    "seconds_to_first_step": 7.1,
    "seconds_serve_first_answer": 3.2,
    "seconds/data": 2.4,
    "seconds/train": 29.3,
    "seconds/evaluate": 2.0,
    "seconds/attack": 6.1,
    "seconds/compress": 2.9,
    "seconds/answer": 3.2,
    "seconds/report": 0.3,
    "speed/onnxruntime int8/batch1": 0.43,
}


def construct(root: Path, seed: int = 0, epsilon: float = 0.1, only: tuple[str, ...] | None = None) -> Record:
    """A record under `root` with every file, or with the named ones `only`; the figures differ a little by seed."""
    rng = np.random.default_rng(seed)
    record = Record.create(root, "quickstart", EXPERIMENT.format(seed=seed, epsilon=epsilon), manifest(seed))
    shift = float(rng.normal(0, 0.004))
    figures = {name: value + shift if "accuracy" in name else value for name, value in METRICS.items()}
    files: dict[str, Any] = {
        "metrics.json": figures,
        "timings.json": TIMINGS,
        "evaluation.json": evaluation(rng),
        "attack.json": attack(),
        "compressed/report.json": compression(),
        "tune/summary.json": tune(rng),
        "history.jsonl": history(rng, defended=True),
        "history-undefended.jsonl": history(rng, defended=False),
    }
    for name, content in files.items():
        if only is not None and name not in only:
            continue
        if name.endswith("l"):
            record.write_text(name, "".join(json.dumps(line) + "\n" for line in content))
        else:
            record.write_json(name, content)
    record.finish()
    return record
