"""The file: sections composed and checked against each other, read from YAML, changed by dotted overrides."""

from dsray.experiment.experiment import Experiment

__all__ = ["Experiment"]
