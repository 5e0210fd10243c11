"""How many processes train, and who holds what."""

from dsray.parallel.config import ParallelConfig

__all__ = ["ParallelConfig"]
