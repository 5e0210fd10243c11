"""Likelihoods, one file a kind of target: loss, when an answer is wrong, margin, confidence, figures. Torch, no data."""

from dsray.base.likelihood import Likelihood
from dsray.likelihoods.classes import Classes, likelihood_of
from dsray.likelihoods.labels import Labels
from dsray.likelihoods.number import Number

__all__ = ["Classes", "Labels", "Likelihood", "Number", "likelihood_of"]
