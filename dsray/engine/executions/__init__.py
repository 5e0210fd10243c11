"""Executions: how one step is carried out on one process, on many, or in a pipeline."""

from dsray.engine.executions.data_parallel import DataParallel
from dsray.engine.executions.execution import Execution, Precision, WeightedTerm, autocast, loss_of
from dsray.engine.executions.pipeline import Pipeline
from dsray.engine.executions.single import SingleProcess

__all__ = ["DataParallel", "Execution", "Pipeline", "Precision", "SingleProcess", "WeightedTerm", "autocast", "loss_of"]
