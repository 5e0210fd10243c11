"""The record of a run and what is made from it: manifest, TensorBoard events, report, comparison, console."""

from dsray.report.record import Record

__all__ = ["Record"]
