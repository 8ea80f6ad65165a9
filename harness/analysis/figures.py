"""One cell in one round: samples -> the figures that everything else is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis import stats
from harness.models import BlockPlan, CellRound, Failure, Samples


@dataclass(frozen=True, slots=True)
class Schedule:
    """How one cell's schedule was kept in one round."""

    offered: int  # due in the counting windows
    achieved: int  # right answers that came in them
    window_s: float
    never_sent: int
    lag_ns: npt.NDArray[np.int64]  # of all that was sent
    service_ns: npt.NDArray[np.int64]  # of the same requests as the latency


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """One cell in one round, boiled down."""

    round: int
    throughput_rps: float
    halves: float  # second ÷ first half
    in_flight: float
    failed: int
    latency_ns: npt.NDArray[np.int64]  # of good replies to what was due inside a window
    slice_rps: npt.NDArray[np.float64]
    cpu_us_per_request: float
    schedule: Schedule | None  # of open load
    cell: CellRound


def round_figures(planned: BlockPlan, cell: CellRound, samples: Samples) -> RoundFigures:
    """The figures of one cell in one round."""
    from_ns = np.array([piece.from_ns for piece in cell.slices], dtype=np.int64)
    to_ns = np.array([piece.to_ns for piece in cell.slices], dtype=np.int64)
    good = samples.failure == Failure.NONE
    # Time in a server's hands; a request that waits for its turn to be sent is not in flight.
    service_ns = samples.latency_ns - (samples.start_ns - samples.intended_ns)
    rates = stats.slice_rates(samples.slice, samples.start_ns, service_ns, good, from_ns, to_ns)
    counted = (samples.intended_ns >= from_ns[samples.slice]) & (
        samples.intended_ns < to_ns[samples.slice]
    )
    window_s = (to_ns - from_ns) / 1e9
    kept = counted & good
    latency_ns = samples.latency_ns[kept]
    schedule = None
    if planned.load.is_open:
        done_ns = samples.intended_ns + samples.latency_ns
        in_window = (done_ns >= from_ns[samples.slice]) & (done_ns < to_ns[samples.slice])
        sent = samples.failure != Failure.NEVER_SENT
        schedule = Schedule(
            offered=int(counted.sum()),
            achieved=int((in_window & good).sum()),
            window_s=float(window_s.sum()),
            never_sent=int((~sent).sum()),
            lag_ns=(samples.start_ns - samples.intended_ns)[sent],
            service_ns=service_ns[kept],
        )
    halves = (
        _halves_of_throughput(rates.throughput_rps)
        if planned.has_throughput
        else _halves_of_latency(samples.slice[kept], latency_ns, len(from_ns))
    )
    return RoundFigures(
        round=cell.round,
        throughput_rps=float(np.average(rates.throughput_rps, weights=window_s)),
        halves=halves,
        in_flight=float(np.average(rates.in_flight, weights=window_s)),
        failed=int((~good).sum()),
        latency_ns=latency_ns,
        slice_rps=rates.throughput_rps,
        cpu_us_per_request=cell.server.cpu_s / cell.requests * 1e6
        if cell.server is not None and cell.requests and not cell.died
        else math.nan,
        schedule=schedule,
        cell=cell,
    )


def headline(planned: BlockPlan, cell: CellRound, samples: Samples) -> float:
    """What one cell came to in one round, in the metric that decides there."""
    figures = round_figures(planned, cell, samples)
    if planned.has_throughput:
        return figures.throughput_rps
    return float(np.median(figures.latency_ns)) / 1e6 if len(figures.latency_ns) else math.nan


def _halves_of_throughput(slice_rps: npt.NDArray[np.float64]) -> float:
    """Second ÷ first half of a round's slices."""
    middle = len(slice_rps) // 2
    first = float(slice_rps[:middle].mean()) if middle else 0.0
    return float(slice_rps[len(slice_rps) - middle :].mean()) / first if first > 0 else 1.0


def _halves_of_latency(
    slices: npt.NDArray[np.int32], latency_ns: npt.NDArray[np.int64], count: int
) -> float:
    """Second ÷ first half of a round's slices; a schedule fixes the throughput of both."""
    first, second = latency_ns[slices < count // 2], latency_ns[slices >= count - count // 2]
    if not len(first) or not len(second):
        return 1.0
    return float(np.median(second) / np.median(first))
