"""Samples of one cell while they are being measured: four numbers per request, and no more."""

from __future__ import annotations

import dataclasses
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.load.connection import Outcome
from harness.models import Failure

_ROOM = 1 << 16
#: Samples have 16 bits for the number of an outcome.
_MANY_OUTCOMES = 16_000


class Recorder:
    """Columns that are allocated before a slice begins.

    Each kind of outcome is stored once, and samples refer to it by its number.
    """

    def __init__(self) -> None:
        self._intended_ns = array("q")
        self._start_ns = array("q")
        self._done_ns = array("q")
        self._outcome = array("h")
        self._count = 0
        self._slice_ends: list[int] = []
        self.outcomes: list[Outcome] = []
        self._index: dict[tuple[int, int, int, int], int] = {}
        #: Open load: when the requests were due that had to wait for a free connection.
        self._starved_ns = array("q")
        #: Open load: CPU time that was spent on spinning until a request was due.
        self.spun_ns = 0

    def begin_slice(self) -> None:
        """Allocate twice what the last slice needed, so that few slices have to allocate."""
        if len(self._outcome) - self._count < max(_ROOM, 2 * self.last_slice):
            self._grow()

    def _grow(self) -> None:
        more = max(_ROOM, len(self._outcome))
        for column in (self._intended_ns, self._start_ns, self._done_ns, self._outcome):
            column.frombytes(bytes(more * column.itemsize))

    def intern(self, outcome: Outcome) -> int:
        """Return the number by which samples refer to this outcome; keep its first example.

        Where there are very many sizes, further ones are not told apart, and their samples have none.
        """
        key = (outcome.status, outcome.size, int(outcome.failure), outcome.endpoint)
        if key not in self._index and len(self.outcomes) >= _MANY_OUTCOMES:
            outcome = dataclasses.replace(outcome, size=0)
            key = (outcome.status, 0, int(outcome.failure), outcome.endpoint)
        if key not in self._index:
            self._index[key] = len(self.outcomes)
            self.outcomes.append(outcome)
        return self._index[key]

    def add(self, intended_ns: int, start_ns: int, done_ns: int, outcome: int) -> None:
        """Record one request; times are readings of the clock."""
        at = self._count
        if at == len(self._outcome):
            self._grow()
        self._intended_ns[at] = intended_ns
        self._start_ns[at] = start_ns
        self._done_ns[at] = done_ns
        self._outcome[at] = outcome
        self._count = at + 1

    def judge(self, at: int, outcome: int) -> None:
        """Judge the request again that was recorded at this place."""
        self._outcome[at] = outcome

    def add_starved(self, intended_ns: int) -> None:
        """Mark the request that was due at this time: it waited for a free connection."""
        self._starved_ns.append(intended_ns)

    @property
    def starved(self) -> int:
        """Number of requests that waited for a free connection."""
        return len(self._starved_ns)

    def end_slice(self) -> None:
        """End a slice: all samples since the last call belong to it."""
        self._slice_ends.append(self._count)

    def lengthen_slice(self) -> None:
        """Count samples that came since the last slice ended as part of it."""
        if self._slice_ends:
            self._slice_ends[-1] = self._count

    @property
    def last_slice(self) -> int:
        """Number of requests in the slice that ended last."""
        ends = [0, 0, *self._slice_ends]
        return ends[-1] - ends[-2]

    def __len__(self) -> int:
        return self._count

    @property
    def errors(self) -> int:
        """Number of requests without the promised reply."""
        bad = [i for i, outcome in enumerate(self.outcomes) if not outcome.good]
        return int(np.isin(self._column(self._outcome, np.int16), bad).sum())

    def failed(self, failure: Failure) -> int:
        """Number of requests that failed in this way."""
        these = [i for i, outcome in enumerate(self.outcomes) if outcome.failure is failure]
        return int(np.isin(self._column(self._outcome, np.int16), these).sum())

    @property
    def examples(self) -> tuple[str, ...]:
        """One example of each kind of failure."""
        return tuple(outcome.example for outcome in self.outcomes if not outcome.good)

    def columns(self, origin_ns: int) -> dict[str, npt.NDArray[Any]]:
        """Return name -> one value per request, as store.write_samples takes them.

        Latency runs from the intended start, so that it includes the time that a slow server
        kept a request waiting before it could be sent. Closed load has no schedule; its requests
        are intended when they are sent.
        """
        index = self._column(self._outcome, np.int16)
        intended_ns = self._column(self._intended_ns, np.int64)
        table = np.array(
            [(o.status, o.size, int(o.failure), o.endpoint) for o in self.outcomes], dtype=np.int64
        ).reshape(-1, 4)
        sizes = np.diff(np.array([0, *self._slice_ends]))
        return {
            "slice": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            "intended_ns": intended_ns - origin_ns,
            "start_ns": self._column(self._start_ns, np.int64) - origin_ns,
            "latency_ns": self._column(self._done_ns, np.int64) - intended_ns,
            "status": table[index, 0].astype(np.int16),
            "size": table[index, 1].astype(np.int32),
            "failure": table[index, 2].astype(np.int8),
            "starved": np.isin(intended_ns, np.array(self._starved_ns, dtype=np.int64)).astype(
                np.int8
            ),
            "endpoint": table[index, 3].astype(np.int8),
        }

    def columns_of_slice(self, origin_ns: int) -> dict[str, npt.NDArray[Any]]:
        """Return the same of the slice that ended last."""
        columns = self.columns(origin_ns)
        last = columns["slice"] == len(self._slice_ends) - 1
        return {name: column[last] for name, column in columns.items()}

    def spans_of_slice(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """When each request of the slice that ended last was sent, and when it was done."""
        count = self.last_slice
        begin = self._slice_ends[-1] - count
        return (
            np.array(self._start_ns[begin : begin + count], dtype=np.int64),
            np.array(self._done_ns[begin : begin + count], dtype=np.int64),
        )

    def _column(self, values: array[int], dtype: type[np.generic]) -> npt.NDArray[Any]:
        whole = np.frombuffer(values, dtype=dtype) if len(values) else np.empty(0, dtype=dtype)
        return whole[: self._count]
