"""dsray: distributed experiments on routed multimodal models, from augmentation to serving, in one auditable record.

Importing this package loads neither torch nor ray; its names load what they need when they are first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsray.experiment import Experiment as Experiment
    from dsray.record import Record as Record
    from dsray.verbs.run import run as run

__version__ = version("dsray")
_NAMES = {"Experiment": "dsray.experiment", "Record": "dsray.record", "run": "dsray.verbs.run"}
__all__ = ["Experiment", "Record", "run"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'dsray' has no attribute '{name}'")
