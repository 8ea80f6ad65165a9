"""Several load processes' shares made one again."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from harness import store
from harness.measuring.crew import merged
from harness.models import Slice


def test_a_merged_slice_is_counted_where_all_were_counting() -> None:
    pieces = [Slice(3, 100, 200, 900, 950), Slice(3, 90, 230, 880, 990)]
    assert merged(pieces) == Slice(3, 90, 230, 880, 990)


def test_windows_that_do_not_overlap_leave_hardly_any() -> None:
    window = merged([Slice(0, 0, 10, 20, 30), Slice(0, 0, 40, 50, 60)])
    assert 0 < window.to_ns - window.from_ns <= 1


def columns(index: list[int], intended: list[int]) -> dict[str, np.ndarray]:
    count = len(index)
    return {
        "slice": np.array(index, dtype=np.int32),
        "intended_ns": np.array(intended),
        "start_ns": np.array(intended) + 1,
        "latency_ns": np.full(count, 7),
        "status": np.full(count, 200, dtype=np.int16),
        "size": np.full(count, 27, dtype=np.int32),
        "failure": np.zeros(count, dtype=np.int8),
        "starved": np.zeros(count, dtype=np.int8),
    }


def test_shares_of_samples_become_one_file_in_order(tmp_path: Path) -> None:
    parts = [tmp_path / "x.share0", tmp_path / "x.share1"]
    store.write_samples(parts[0], columns([0, 0, 1], [10, 30, 110]))
    store.write_samples(parts[1], columns([0, 1, 1], [20, 100, 120]))
    store.merge_samples(parts, tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["slice"].to_pylist() == [0, 0, 0, 1, 1, 1]
    assert table["intended_ns"].to_pylist() == [10, 20, 30, 100, 110, 120]
    assert table["start_ns"].to_pylist() == [11, 21, 31, 101, 111, 121]
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
