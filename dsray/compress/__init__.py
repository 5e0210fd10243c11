"""Quantisation and export: a trained model becomes an artefact that serving needs nothing else for.

Reading an artefact (`Artefact`, `OnnxModel`) loads no torch; making one is `dsray.compress.compress`.
"""

from dsray.compress.artefact import Artefact
from dsray.compress.config import CompressConfig
from dsray.compress.onnx_model import OnnxModel, Outputs

__all__ = ["Artefact", "CompressConfig", "OnnxModel", "Outputs"]
