"""Quantisation and export: a trained model becomes an artefact that serving needs nothing else for.

Reading an artefact (`Artefact`, `Session`) loads no torch; making one is `dsray.compress.compress`.
"""

from dsray.compress.artefact import Artefact
from dsray.compress.config import CompressConfig
from dsray.compress.session import Answers, Session

__all__ = ["Answers", "Artefact", "CompressConfig", "Session"]
