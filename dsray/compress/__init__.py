"""Quantisation and export: a trained model becomes an artefact that serving needs nothing else for."""

from dsray.compress.config import CompressConfig

__all__ = ["CompressConfig"]
