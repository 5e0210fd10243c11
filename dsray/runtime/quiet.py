"""Environment that Ray and its libraries read when they are imported: no telemetry, no bars, no spam.

Import this module before `ray`. Values that the user has set win.
"""

from __future__ import annotations

import os
import secrets
import sys

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GLOG_minloglevel": "3",
}


def prepare_environment() -> None:
    """Set what is not set yet; a cluster of our own gets a token of its own, since it listens on all interfaces.

    Where `ray` is imported already (`serve run`), this process has settled on how it authenticates: no token then.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RAY_ADDRESS"):
        return
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # nobody takes nodes from a cluster of our own
    if "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def train_environment() -> dict[str, dict[str, str]]:
    """The runtime environment that Ray Train gives to its processes and they to their tasks.

    Work that asks for the same one can use the same idle processes.
    """
    variables = {name: value for name, value in os.environ.items() if name.startswith("RAY_TRAIN_")}
    waits = "RAY_WARN_BLOCKING_GET_INSIDE_ASYNC"
    return {"env_vars": variables | {waits: os.environ.get(waits, "0")}}


prepare_environment()
