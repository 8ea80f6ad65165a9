"""The samples of a whole run in one file of about a third of the size, for keeping it in a repository.

Times are rounded to the microsecond, and what the analysis does not need is left out: status and size
of replies. Each request stays on its side of the edges of its slice, so that the same requests count.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInput
from harness.models import CellRound, Samples
from harness.store.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa

THINNED_FILE = "samples.parquet"
_US = 1_000
#: Lists, a row for each cell and round, which `file` names.
_TIMES = ("due_us", "lag_us", "latency_us")
_KEPT = ("slice", "failure", "starved", "endpoint")

_Whole = npt.NDArray[np.int64]


def write_thinned(run: Path, cells: list[tuple[CellRound, Samples]]) -> None:
    """Write all samples of a run into one file.

    Args:
        run: The run's folder.
        cells: Every cell of every round, with its samples.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [] for name in ("file", *_TIMES, *_KEPT)}
    for cell, samples in cells:
        columns["file"].append(cell.samples_file)
        lag_ns = samples.start_ns - samples.intended_ns
        columns["due_us"].append(_since_slice_us(cell, samples))
        columns["lag_us"].append(_nearest_us(lag_ns))
        # Of open load, the lag is part of the latency; the two are rounded apart.
        columns["latency_us"].append(_nearest_us(samples.latency_ns - lag_ns))
        columns["slice"].append(samples.slice)
        columns["failure"].append(samples.failure)
        columns["starved"].append(samples.starved.astype(np.int8))
        columns["endpoint"].append(samples.endpoint)
    lists = pa.list_(pa.int32())
    table = pa.table(
        {
            "file": pa.array(columns["file"]),
            **{name: pa.array(columns[name], lists) for name in (*_TIMES, *_KEPT)},
        }
    )
    with replacing(run / THINNED_FILE) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=19,
            use_dictionary=False,
            column_encoding={
                "file": "PLAIN",
                **{f"{name}.list.element": "DELTA_BINARY_PACKED" for name in ("due_us", "slice")},
                **{
                    f"{name}.list.element": "BYTE_STREAM_SPLIT"
                    for name in ("lag_us", "latency_us", *_KEPT[1:])
                },
            },
        )


def read_thinned(run: Path, cell: CellRound) -> Samples:
    """Read the samples of one cell in one round from what `write_thinned` wrote.

    Raises:
        BadInput: The file is damaged, or lacks the cell.
    """
    path = run / THINNED_FILE
    table, rows = _table(path, path.stat().st_mtime_ns)
    if cell.samples_file not in rows:
        raise BadInput(f"{path} lacks {cell.samples_file}, and there is no such file either")
    at = rows[cell.samples_file]

    def column(name: str) -> _Whole:
        # Not to_numpy, which imports all of pandas first.
        return np.from_dlpack(table[name][at].values).astype(np.int64)

    if len(table["slice"][at].values) != cell.requests:
        raise BadInput(f"{path} is damaged: {cell.samples_file} has another number of samples")
    of_slice = column("slice").astype(np.int32)
    lag_ns = column("lag_us") * _US
    due_ns = _begins_ns(cell)[of_slice] + column("due_us") * _US
    return Samples(
        slice=of_slice,
        intended_ns=due_ns,
        start_ns=due_ns + lag_ns,
        latency_ns=column("latency_us") * _US + lag_ns,
        failure=column("failure").astype(np.int8),
        starved=column("starved").astype(np.bool_),
        endpoint=column("endpoint").astype(np.int8) if table["endpoint"][at].is_valid else None,
    )


@lru_cache(maxsize=2)
def _table(path: Path, _changed_ns: int) -> tuple[pa.Table, dict[str, int]]:
    """The file's content, and which row is that of which file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=["file", *_TIMES, *_KEPT]).combine_chunks()
        return table, {name: row for row, name in enumerate(table["file"].to_pylist())}
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise BadInput(f"{path} is damaged ({error})") from error


def _begins_ns(cell: CellRound) -> _Whole:
    return np.array([piece.from_ns for piece in cell.slices], dtype=np.int64)


def _since_slice_us(cell: CellRound, samples: Samples) -> _Whole:
    """When requests were due, since counting began in their slice; on their side of its end too."""
    begins_ns = _begins_ns(cell)[samples.slice]
    ends_ns = np.array([piece.to_ns for piece in cell.slices], dtype=np.int64)[samples.slice]
    since_ns = samples.intended_ns - begins_ns
    # Rounded down, what was due before the beginning stays before it; what was due after the end is
    # rounded up.
    return np.where(samples.intended_ns < ends_ns, since_ns // _US, -(-since_ns // _US))


def _nearest_us(times_ns: _Whole) -> _Whole:
    return (times_ns + _US // 2) // _US
