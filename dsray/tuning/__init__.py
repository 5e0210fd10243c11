"""Sweeps without Ray: the space on an experiment, the study on disk, and what a sweep leaves in the record."""

from dsray.tuning.results import write_results
from dsray.tuning.space import check_space, drawn, objective_of, sweep_of
from dsray.tuning.study import Study
from dsray.tuning.table import SweepTable

__all__ = ["Study", "SweepTable", "check_space", "drawn", "objective_of", "sweep_of", "write_results"]
