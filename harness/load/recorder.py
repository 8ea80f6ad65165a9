"""Samples of one cell while they are being measured: three numbers a request, nothing more."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.load.client import Outcome


class Recorder:
    """Columns that grow; what a reply looked like is written down once and then pointed at."""

    def __init__(self) -> None:
        self.start_ns = array("q")
        self.latency_ns = array("q")
        self.outcome = array("h")
        self._slice_ends: list[int] = []
        self.outcomes: list[Outcome] = []
        self._index: dict[tuple[int, int, int], int] = {}

    def intern(self, outcome: Outcome) -> int:
        """The number under which samples refer to such an outcome; the first example is kept."""
        key = (outcome.status, outcome.size, int(outcome.failure))
        if key not in self._index:
            self._index[key] = len(self.outcomes)
            self.outcomes.append(outcome)
        return self._index[key]

    def add(self, start_ns: int, latency_ns: int, outcome: int) -> None:
        """One request. The hot loop appends to the columns itself."""
        self.start_ns.append(start_ns)
        self.latency_ns.append(latency_ns)
        self.outcome.append(outcome)

    def end_slice(self) -> None:
        """All samples since the last call belong to one slice."""
        self._slice_ends.append(len(self.start_ns))

    @property
    def last_slice(self) -> int:
        """Requests of the slice that was ended last."""
        ends = [0, 0, *self._slice_ends]
        return ends[-1] - ends[-2]

    def __len__(self) -> int:
        return len(self.start_ns)

    @property
    def errors(self) -> int:
        """Requests without the promised reply."""
        bad = [i for i, outcome in enumerate(self.outcomes) if not outcome.good]
        return int(np.isin(self._column(self.outcome, np.int16), bad).sum())

    @property
    def examples(self) -> tuple[str, ...]:
        """One example of each kind of failure."""
        return tuple(outcome.example for outcome in self.outcomes if not outcome.good)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Name -> one value per request, as store.write_samples takes them."""
        index = self._column(self.outcome, np.int16)
        start_ns = self._column(self.start_ns, np.int64)
        table = np.array(
            [(o.status, o.size, int(o.failure)) for o in self.outcomes], dtype=np.int64
        ).reshape(-1, 3)
        sizes = np.diff(np.array([0, *self._slice_ends]))
        return {
            "slice": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            "intended_ns": start_ns,  # closed load has no schedule: intended when sent
            "start_ns": start_ns,
            "latency_ns": self._column(self.latency_ns, np.int64),
            "status": table[index, 0].astype(np.int16),
            "size": table[index, 1].astype(np.int32),
            "failure": table[index, 2].astype(np.int8),
        }

    @staticmethod
    def _column(values: array[int], dtype: type[np.generic]) -> npt.NDArray[Any]:
        return np.frombuffer(values, dtype=dtype) if len(values) else np.empty(0, dtype=dtype)
