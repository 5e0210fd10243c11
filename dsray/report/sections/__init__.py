"""The sections of a report in the order of the page; each reads its own files and is absent without them."""

from collections.abc import Callable

from dsray.record.record import Record
from dsray.report.sections.accuracy import accuracy
from dsray.report.sections.answers import answers
from dsray.report.sections.calibration import calibration
from dsray.report.sections.compression import compression
from dsray.report.sections.confusion import confusion
from dsray.report.sections.data import data
from dsray.report.sections.examples import examples
from dsray.report.sections.experiment import experiment
from dsray.report.sections.refusal import refusal
from dsray.report.sections.robustness import robustness
from dsray.report.sections.routing import routing
from dsray.report.sections.section import Section
from dsray.report.sections.timing import timing
from dsray.report.sections.training import training
from dsray.report.sections.tuning import tuning

SECTIONS: tuple[Callable[[Record], Section | None], ...] = (
    accuracy,
    data,
    training,
    robustness,
    routing,
    compression,
    answers,
    confusion,
    calibration,
    refusal,
    examples,
    tuning,
    timing,
    experiment,
)
