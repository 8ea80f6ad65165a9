"""Samples as the bytes that travel from a member to the measuring side.

Parquet takes 6 to 7 bytes a sample where the columns take 35, and less time to pack and unpack than
Arrow's IPC format does with any of its compressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: Name of a column -> one value per sample.
Columns = Mapping[str, npt.NDArray[Any]]


def pack(columns: Columns) -> bytes:
    """Make bytes of columns of one length."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    times = [name for name, column in columns.items() if column.dtype == np.int64]
    pq.write_table(
        pa.table(dict(columns)),
        sink,
        compression="zstd",
        use_dictionary=[name for name in columns if name not in times],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
    )
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Make the columns of such bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        table = file.read()
    return {name: table[name].to_numpy() for name in table.column_names}
