"""Answers of an artefact: in process, and as an HTTP application that Ray Serve or any ASGI server runs. Free of ray."""

from dsray.serving.predictor import Predictor

__all__ = ["Predictor"]
