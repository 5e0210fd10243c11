"""Rows: sources, preparation, order, collation, and raw instances of a request."""

from dsray.data.collate import to_batch
from dsray.data.config import DataConfig
from dsray.data.draws import Draws
from dsray.data.facts import Facts
from dsray.data.files import read_rows
from dsray.data.order import draw, draw_range, steps_of
from dsray.data.pipeline import fit_schema, fits, prepare_table
from dsray.data.prepare import contents_of, fingerprint_of, prepare
from dsray.data.prepared import Prepared, assemble, known, labelled
from dsray.data.requests import columns_of
from dsray.data.samplers import AnySampler, BalancedConfig, SamplerConfig, Shuffled, ShuffledConfig
from dsray.data.sources import AnySource, DigitsConfig, ParquetConfig, SourceConfig
from dsray.data.tables import load_tables

__all__ = [
    "AnySampler",
    "AnySource",
    "BalancedConfig",
    "DataConfig",
    "DigitsConfig",
    "Draws",
    "Facts",
    "ParquetConfig",
    "Prepared",
    "SamplerConfig",
    "Shuffled",
    "ShuffledConfig",
    "SourceConfig",
    "assemble",
    "columns_of",
    "contents_of",
    "draw",
    "draw_range",
    "fingerprint_of",
    "fit_schema",
    "fits",
    "known",
    "labelled",
    "load_tables",
    "prepare",
    "prepare_table",
    "read_rows",
    "steps_of",
    "to_batch",
]
