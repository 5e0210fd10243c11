"""Where rows come from: a source a file, and the formats of files that sources and `predict` read alike."""

from typing import Annotated

from dsray.base import one_of
from dsray.data.sources.digits import DigitsConfig
from dsray.data.sources.parquet import ParquetConfig
from dsray.data.sources.source import SPLITS, SourceConfig

AnySource = Annotated[SourceConfig, one_of(DigitsConfig, ParquetConfig)]

__all__ = ["SPLITS", "AnySource", "DigitsConfig", "ParquetConfig", "SourceConfig"]
