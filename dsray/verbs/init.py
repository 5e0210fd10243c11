"""Commented starter experiments for `dsray init`."""

from __future__ import annotations

from dsray.base import RequestError, nearest

_HEAD = """# A {what} experiment. `dsray check FILE` prints the plan, `dsray run FILE` runs it.
format: 1
name: {name}
seed: 0

data:
"""
_TAIL = """
model:
  width: 64                         # width of the common space
  trunk:
    blocks: 3
    experts: {count: 4, top_k: 1, per: sample}
  depth: {kind: early_exit, exits: [1, 2], threshold: 0.9}

train:
  epochs: 10                        # or steps
  batch: 64
  rates:
    schedule: {kind: cosine, peak_value: 3.0e-3, end: 1.0e-4}

"""
_PARQUET = """  source:
    kind: parquet
    train: path/to/train.parquet    # file or folder; $DSRAY_DATA is expanded
    test: path/to/test.parquet
"""
_IMAGE = "  image: {column: image, size: 32, channels: 3}   # PNG or JPEG bytes, resized to size x size pixels\n"
_TEXT = "  text: {column: text}              # vocabulary and length are chosen from the training rows unless given\n"
_LABEL = "  label: label\n"
_AUGMENT = """
augment:
  operations:
    - {kind: gaussian_noise, sigma: 0.05}
    - {kind: shift, pixels: 2}
"""
_ADVERSARIAL = """adversarial:
  stages:
    - name: pgd
      epochs: 8
      attack: {kind: pgd, steps: 3}
      epsilon: {kind: linear, end: 8/255, share: 0.5}   # input-range units
      loss: {kind: trades, beta: 4}                     # or madry
  judge: {epsilon: 8/255}

"""
_END = "compress: {}                        # int8, behind an accuracy gate\n"
_DIGITS = """  source: {kind: digits}            # scikit-learn's digits with a question; put your Parquet files here,
  # inputs:                         # and what they hold, under names of your own
  #   photo: {kind: image, column: picture, size: 32, channels: 3}
  #   note: {kind: text, column: body}
  # label: answer
"""

_STARTERS = {
    "vision": ("vision", _PARQUET + _IMAGE + _LABEL + _AUGMENT + _TAIL + _ADVERSARIAL + _END),
    "text": ("text", _PARQUET + _TEXT + _LABEL + _TAIL + _END),
    "multimodal": ("multimodal", _DIGITS + _AUGMENT + _TAIL + _ADVERSARIAL + _END),
}


def starter(kind: str) -> str:
    """The starter of a kind; an unknown one is a RequestError that names the others."""
    if kind not in _STARTERS:
        raise RequestError(f"kind: unknown starter '{kind}'; {nearest(kind, list(_STARTERS))}")
    what, body = _STARTERS[kind]
    return _HEAD.format(what=what, name=f"my-{kind}") + body
