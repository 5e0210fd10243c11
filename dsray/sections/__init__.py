"""Sections of the file that describe what `dsray.runtime` builds; free of ray, so that `experiment.py` composes them."""

from dsray.sections.parallel import ParallelConfig
from dsray.sections.serve import ServeConfig
from dsray.sections.tune import TuneConfig

__all__ = ["ParallelConfig", "ServeConfig", "TuneConfig"]
