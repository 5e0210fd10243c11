"""dsray: distributed experiments on routed multimodal models, from augmentation to serving, in one auditable record.

Importing this package loads neither torch nor ray; its names load what they need when they are first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsray.experiment import Experiment as Experiment
    from dsray.report.record import Record as Record
    from dsray.runner import run as run

__version__ = version("dsray")
_NAMES = {"Experiment": "dsray.experiment", "Record": "dsray.report.record", "run": "dsray.runner"}
__all__ = ["Experiment", "Record", "run"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'dsray' has no attribute '{name}'")
