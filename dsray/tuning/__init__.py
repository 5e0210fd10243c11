"""Sweeps without Ray: the space on an experiment, the study on disk, and what a sweep leaves in the record."""

from dsray.tuning.results import write_results
from dsray.tuning.space import apply_draw, check_space
from dsray.tuning.study import Study

__all__ = ["Study", "apply_draw", "check_space", "write_results"]
