"""Learning over time: gradual unfreezing, elastic weight consolidation, replay memory, task accuracies."""

from dsray.learning.ewc import Anchor, ewc_penalty
from dsray.learning.memory import ReplayMemory
from dsray.learning.tasks import forgetting, learning_accuracy, retention
from dsray.learning.unfreeze import unfreezing_phases

__all__ = [
    "Anchor",
    "ReplayMemory",
    "ewc_penalty",
    "forgetting",
    "learning_accuracy",
    "retention",
    "unfreezing_phases",
]
