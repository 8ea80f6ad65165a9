"""The samples of one cell in one round, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Samples:
    """One element per request or start; all arrays have the same length.

    Times are ns since the block began.
    """

    slice: npt.NDArray[np.int32]  # index into the cell's slices
    intended_ns: npt.NDArray[np.int64]  # when it was due; under closed load, when it was sent
    start_ns: npt.NDArray[np.int64]  # when it was sent
    latency_ns: npt.NDArray[np.int64]  # from the intended start to the whole reply
    failure: npt.NDArray[np.int8]  # a models.Failure
    starved: npt.NDArray[np.bool_]  # whether it was due while every connection was taken
    #: Place of the request's endpoint in Scenario.endpoints, -1 where unknown; None in older runs.
    endpoint: npt.NDArray[np.int8] | None = None
