"""The record of a run: its folder, what is written there and what is read back."""

from dsray.record.record import Record

__all__ = ["Record"]
