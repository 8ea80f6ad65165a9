"""Samples as Parquet: a file for each cell and round, a row for each request or start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInput
from harness.models import CellRound, RunRecord
from harness.models.samples import Samples
from harness.store.atomic import replacing, sync_folder, unwritable
from harness.store.run_file import write_run
from harness.store.thinned import THINNED_FILE, read_thinned, write_thinned

SAMPLE_COLUMNS = (
    "slice", "intended_ns", "start_ns", "latency_ns", "status", "size", "failure", "starved",
    "endpoint",
)  # fmt: skip
#: What the analysis needs of them.
_READ = ("slice", "intended_ns", "start_ns", "latency_ns", "failure", "starved", "endpoint")


def write_samples(path: Path, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the samples of one cell and round.

    Args:
        path: The file; it appears whole or not at all.
        columns: Name -> one value per sample, for every name in SAMPLE_COLUMNS.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: columns[name] for name in SAMPLE_COLUMNS})
    with replacing(path) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=["status", "size", "failure", "endpoint"],
            column_encoding={
                "slice": "DELTA_BINARY_PACKED",
                "intended_ns": "DELTA_BINARY_PACKED",
                "start_ns": "DELTA_BINARY_PACKED",
                "latency_ns": "DELTA_BINARY_PACKED",
            },
        )


def read_samples(run: Path, cell: CellRound) -> Samples:
    """Read what `write_samples` or `thin_samples` wrote.

    Raises:
        BadInput: The file is missing, damaged, or has another number of samples than the journal.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = run / cell.samples_file
    if not path.resolve().is_relative_to(run.resolve()):
        raise BadInput(f"{path} lies outside the run: its journal is damaged")
    if not path.exists() and (run / THINNED_FILE).exists():
        return read_thinned(run, cell)
    try:
        # Not read_table, which imports all of pyarrow.dataset first: half a second.
        with pq.ParquetFile(path) as file:
            known = [name for name in _READ if name in file.schema_arrow.names]
            table = file.read(columns=known)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: without the raw samples nothing can be made") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is damaged ({error})") from error
    if table.num_rows != cell.requests or any(column.null_count for column in table.columns):
        raise BadInput(
            f"{path} is damaged: {table.num_rows:,} samples, the journal has {cell.requests:,}"
        )

    def column(name: str) -> npt.NDArray[Any]:
        # Not to_numpy, which imports all of pandas first: another half a second.
        return np.from_dlpack(table[name].combine_chunks())

    return Samples(
        slice=column("slice"),
        intended_ns=column("intended_ns"),
        start_ns=column("start_ns"),
        latency_ns=column("latency_ns"),
        failure=column("failure"),
        # Earlier versions did not say which requests were starved. All count as such, so that none
        # of their waiting is taken for the generator's lag.
        starved=column("starved").astype(np.bool_)
        if "starved" in table.column_names
        else np.ones(table.num_rows, dtype=np.bool_),
        endpoint=column("endpoint") if "endpoint" in table.column_names else None,
    )


def thin_samples(run: Path, record: RunRecord) -> RunRecord:
    """Put all samples of a run into one file of about a third of the size; return its new record.

    Cut off at any moment, no sample is lost, and doing it again completes it.

    Raises:
        BadInput: A file is missing or damaged.
        ResultsUnwritable: The system refuses.
    """
    cells = [cell for finished in record.rounds for cell in finished.cells]
    write_thinned(run, [(cell, read_samples(run, cell)) for cell in cells])
    thinned = replace(record, thinned=True)
    write_run(run, thinned)
    sync_folder(run)  # before anything goes, what takes its place is on disk under its name
    for cell in cells:
        path = run / cell.samples_file
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
    return thinned
