"""Rows with something missing, cut or unknown are counted, and the counts are told wherever figures are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.data import DataConfig, prepare
from dsray.data.counts import lines


@pytest.fixture
def flawed(small, small_table) -> dict:
    """`small` with gaps: 3 training texts too long, test rows without image, text, label, of no class, in foreign letters."""

    def write(split: str, **columns) -> None:
        table = pq.read_table(small["source"][split])
        for name, values in columns.items():
            place, rest = table.column_names.index(name), table.column(name).to_pylist()[len(values) :]
            table = table.set_column(place, name, pa.array([*values, *rest], table.schema.field(name).type))
        pq.write_table(table, small["source"][split])

    write("train", note=["row " * 12, None, "row " * 10, "row " * 40])
    write("test", picture=[None] * 2, note=["ωωω", None, None, "row " * 10], **{"class": ["c0", None, "other", "more"]})
    pq.write_table(small_table(7, seed=3), Path(small["source"]["train"]).with_name("validation.parquet"))
    small["source"]["validation"] = str(Path(small["source"]["train"]).with_name("validation.parquet"))
    return small


def test_each_split_is_counted_zeros_included(flawed, tmp_path):
    counts = prepare(DataConfig.model_validate(flawed)).counts
    assert counts["train"]["text"] == {"missing": 1, "cut": 3, "unknown": 0}
    assert counts["train"]["label"] == {"missing": 0, "unknown": 0}
    assert counts["train"]["image"]["missing"] == counts["validation"]["image"]["missing"] == 0
    assert counts["test"]["image"]["missing"] == 2
    assert counts["test"]["text"] == {"missing": 2, "cut": 1, "unknown": 1}
    assert counts["test"]["label"] == {"missing": 1, "unknown": 2}


def test_counts_and_notes_come_back_from_the_cache(flawed, tmp_path):
    config = DataConfig.model_validate(flawed)
    direct = prepare(config)
    assert [prepare(config, tmp_path / "c").counts for _ in range(2)] == [direct.counts] * 2
    assert prepare(config, tmp_path / "c").notes == direct.notes


def test_lines_tell_only_what_is_there():
    counts = {
        "train": {"text": {"missing": 0, "cut": 120}, "label": {"unknown": 0}},
        "test": {"text": {"missing": 0, "cut": 1}, "label": {"unknown": 3}},
    }
    assert list(lines(counts, {"train": 3774, "test": 9000})) == [
        "text cut: 120 of 3,774 train rows (3.2 %), 1 of 9,000 test rows (less than 0.1 %)",
        "label unknown: 3 of 9,000 test rows (less than 0.1 %)",
    ]
    assert list(lines({"": {"text": {"missing": 1}}}, {"": 4})) == ["text missing: 1 of 4 rows (25.0 %)"]
