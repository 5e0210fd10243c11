"""Likelihoods, one file a kind of target: loss, when an answer is wrong, margin, confidence, figures. Torch, no data."""

from dsray.base.likelihood import Likelihood
from dsray.likelihoods.classes import Classes, likelihood_of
from dsray.likelihoods.labels import Labels

__all__ = ["Classes", "Labels", "Likelihood", "likelihood_of"]
