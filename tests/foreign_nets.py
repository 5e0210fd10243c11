"""Modules of a package that is not dsray: they know nothing of it, and no routing."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Right: two inputs by keyword, whether they are there, and its classes."""

    def __init__(self, classes: int, hidden: int = 32, vocabulary: int = 2000):
        super().__init__()
        self.convolve = nn.Conv2d(1, 8, 3, padding=1)
        self.normed = nn.BatchNorm2d(8)
        self.embed = nn.Embedding(vocabulary, 16)
        self.mix = nn.Linear(8 * 16 + 16 + 2, hidden)
        self.answer = nn.Linear(hidden, classes)

    def forward(self, *, text, image, present):
        seen = F.max_pool2d(F.relu(self.normed(self.convolve(image))), 2).flatten(1)
        read = self.embed(text).mean(1)
        flags = torch.stack([present["image"], present["text"]], 1).to(seen.dtype)
        return self.answer(F.relu(self.mix(torch.cat([seen, read, flags], 1))))


class Brought(Net):
    """Right: it brings weights along."""

    def pretrained(self):
        nn.init.constant_(self.answer.bias, 0.25)


class Loose(nn.Module):
    """Right: takes what there is, and nothing else is known of it."""

    def __init__(self, classes, **settings):
        super().__init__()
        self.answer = nn.Linear(settings.get("pixels", 64), classes)

    def forward(self, image, **others):
        return self.answer(image.flatten(1))


class Deaf(Net):
    """Wrong: it takes no text."""

    def forward(self, image):
        return image


class Greedy(Net):
    """Wrong: it needs what is no input."""

    def forward(self, image, text, mask):
        return image


class Narrow(Net):
    """Wrong: no logits."""

    def forward(self, *, text, image, present):
        return super().forward(text=text, image=image, present=present)[:, :3]


class Pair(Net):
    """Wrong: logits and something else."""

    def forward(self, *, text, image, present):
        return super().forward(text=text, image=image, present=present), present


class Unsized(Net):
    """Wrong: its width is known when the first rows come, which is after the model is planned."""

    def __init__(self, classes: int):
        super().__init__(classes)
        self.answer = nn.LazyLinear(classes)
