"""What every other room stands on: configs, plug-in unions, errors; and files of one idea each, imported by name."""

from dsray.base.config import Config
from dsray.base.errors import DsrayError, RequestError, RunFailure, a, explain, nearest
from dsray.base.kinds import Plugin, one_of

__all__ = ["Config", "DsrayError", "Plugin", "RequestError", "RunFailure", "a", "explain", "nearest", "one_of"]
