"""Stages, the one training loop, and evaluation. Never imports ray."""

from dsray.engine.compile import compile_stages, undefended
from dsray.engine.config import AdversarialConfig, AdversarialStage, JudgeConfig, TrainConfig
from dsray.engine.continual import ContinualConfig
from dsray.engine.evaluate import Evaluation, evaluate
from dsray.engine.finetune import FinetuneConfig
from dsray.engine.history import HistoryFile, rewind_history
from dsray.engine.loop import Cadence, fit
from dsray.engine.rows import Replay, RowFilter
from dsray.engine.stage import Perturb, Stage
from dsray.engine.state import TrainState
from dsray.engine.worker import LocalWorker, Worker

__all__ = [
    "AdversarialConfig",
    "AdversarialStage",
    "Cadence",
    "ContinualConfig",
    "Evaluation",
    "FinetuneConfig",
    "HistoryFile",
    "JudgeConfig",
    "LocalWorker",
    "Perturb",
    "Replay",
    "RowFilter",
    "Stage",
    "TrainConfig",
    "TrainState",
    "Worker",
    "compile_stages",
    "evaluate",
    "fit",
    "rewind_history",
    "undefended",
]
