"""Reduces the samples of a cell in a round to the figures that everything else is derived from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis import stats
from harness.analysis.pauses import Waits, waits
from harness.models import BlockPlan, CellRound, Failure, Samples

#: A request was late that was sent this long after it was due.
LATE_NS = 1_000_000
#: What becomes of a request that an overloaded server never comes to.
_LOST = (Failure.NEVER_SENT, Failure.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How well the schedule of a cell was kept in a round."""

    offered: int  # requests that were due in the counting windows
    achieved: int  # those of them that were answered rightly, however late
    in_pace: int  # those of them that were answered at the pace at which they were due
    #: Per slice: by how much later answers came for each second that a request was due later. A
    #: queue that grows shows here, while a long latency that stays the same does not.
    slopes: npt.NDArray[np.float64]
    window_s: float
    never_sent: int
    timed_out: int
    lost: int  # of the offered ones: those never sent, and those without a reply in time
    late: int  # requests that were sent more than LATE_NS after they were due
    lag_ns: npt.NDArray[np.int64]  # of all requests that were sent and not starved
    service_ns: npt.NDArray[np.int64]  # of the same requests as the latency
    with_lag_ns: npt.NDArray[np.int64]  # latency of the same requests with the generator's lag
    throughput_halves: float  # second ÷ first half of the throughput


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """The requests of a cell in a round that went to one endpoint."""

    endpoint: str  # as in Scenario.endpoints, or in CellRound.endpoints
    requests: int
    failed: int
    share: float  # of the cell's correct replies that count
    latency_ns: npt.NDArray[np.int64]  # of these


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """The figures of a cell in a round."""

    round: int
    throughput_rps: float
    halves: float  # second ÷ first half, of throughput in closed load and of latency in open load
    in_flight: float  # requests, on average while requests were counted
    thinking: float  # users between a reply and their next request, on average
    in_flight_reported: float  # the same by Little's law: throughput × mean latency, as reported
    sent: int
    failed: int
    failures: Mapping[Failure, int]  # why, and how many
    #: Of correct replies to requests that were due inside a window.
    latency_ns: npt.NDArray[np.int64]
    latency_p50_ns: float  # their median; NaN without any
    slice_rps: npt.NDArray[np.float64]
    cpu_us_per_request: float
    schedule: Schedule | None  # None under closed load
    waits: Waits | None  # None under open load, of starts, and of users who wait by themselves
    cell: CellRound
    endpoints: tuple[EndpointFigures, ...] = ()  # where a scenario requests several


def round_figures(planned: BlockPlan, cell: CellRound, samples: Samples) -> RoundFigures:
    """Reduce the samples of a cell in a round.

    Args:
        planned: the block that the cell belongs to.
        cell: the cell and round, with its slices.
        samples: its samples.
    """
    from_ns = np.array([piece.from_ns for piece in cell.slices], dtype=np.int64)
    to_ns = np.array([piece.to_ns for piece in cell.slices], dtype=np.int64)
    good = samples.failure == Failure.NONE
    # The time that the server took. A request that still waits to be sent is not in flight.
    service_ns = samples.latency_ns - (samples.start_ns - samples.intended_ns)
    counted = _counted(cell, samples)
    window_s = (to_ns - from_ns) / 1e9
    kept = counted & good
    latency_ns = samples.latency_ns[kept]
    sent = samples.failure != Failure.NEVER_SENT
    requests = int(sent.sum())
    schedule = None
    if not planned.load.is_open:
        slice_rps, throughput_rps, halves = _closed_rates(planned, cell, samples, counted, kept)
    else:
        slopes, begins_ns = _trends(samples, kept, from_ns)
        # The answers to the requests of a window come in a window that is later by the latency. A
        # server that keeps up gives all of them in it, whatever its latency. One that falls behind
        # gives as many as it can in that time, and the others after it.
        done_ns = samples.intended_ns + samples.latency_ns
        in_pace = done_ns < (to_ns + begins_ns)[samples.slice]
        answered = np.bincount(samples.slice[kept & in_pace], minlength=len(window_s))
        slice_rps = answered / window_s
        throughput_rps = float(np.average(slice_rps, weights=window_s))
        lag_ns = samples.start_ns - samples.intended_ns
        schedule = Schedule(
            offered=int(counted.sum()),
            achieved=int(kept.sum()),
            in_pace=int(answered.sum()),
            slopes=slopes,
            window_s=float(window_s.sum()),
            never_sent=int((~sent).sum()),
            timed_out=int((samples.failure == Failure.TIMEOUT).sum()),
            lost=int((counted & np.isin(samples.failure, _LOST)).sum()),
            late=int((lag_ns[sent] > LATE_NS).sum()),
            lag_ns=lag_ns[sent & ~samples.starved],
            service_ns=service_ns[kept],
            with_lag_ns=latency_ns,
            throughput_halves=_halves_of_throughput(slice_rps),
        )
        # How late the generator was is not the server's doing and would be part of every
        # percentile. That a starved request waited for a connection is, and stays in.
        latency_ns = np.where(samples.starved, samples.latency_ns, service_ns)[kept]
    if not planned.has_throughput:
        halves = _halves_of_latency(samples.slice[kept], latency_ns, len(from_ns))
    return RoundFigures(
        round=cell.round,
        throughput_rps=throughput_rps,
        halves=halves,
        in_flight=stats.in_flight(samples.slice, samples.start_ns, service_ns, from_ns, to_ns),
        thinking=sum(piece.think_ns for piece in cell.slices)
        / max(1, int((to_ns - from_ns).sum())),
        in_flight_reported=throughput_rps * float(latency_ns.mean()) / 1e9
        if len(latency_ns)
        else 0.0,
        sent=requests,
        failed=int((~good).sum()),
        failures=_failures(samples.failure),
        latency_ns=latency_ns,
        latency_p50_ns=float(np.median(latency_ns)) if len(latency_ns) else math.nan,
        slice_rps=slice_rps,
        # A request that was never sent costs the server nothing.
        cpu_us_per_request=cell.server.cpu_s / requests * 1e6
        if cell.server is not None and requests and not cell.died
        else math.nan,
        schedule=schedule,
        # Where users wait by themselves, no reply for a while is no pause of the server.
        waits=waits(samples, planned.load.users)
        if planned.has_throughput and not cell.names_endpoints
        else None,
        cell=cell,
        endpoints=_by_endpoint(
            cell.endpoints or planned.scenario.endpoints, samples, kept, latency_ns
        ),
    )


def _counted(cell: CellRound, samples: Samples) -> npt.NDArray[np.bool_]:
    """Which requests were due inside the window of their slice."""
    from_ns = np.array([piece.from_ns for piece in cell.slices], dtype=np.int64)
    to_ns = np.array([piece.to_ns for piece in cell.slices], dtype=np.int64)
    inside: npt.NDArray[np.bool_] = (samples.intended_ns >= from_ns[samples.slice]) & (
        samples.intended_ns < to_ns[samples.slice]
    )
    return inside


def _failures(codes: npt.NDArray[np.int8]) -> dict[Failure, int]:
    """How many requests failed for each reason that there was."""
    counts = np.bincount(codes, minlength=len(Failure)).tolist()
    return {
        reason: counts[reason] for reason in Failure if reason != Failure.NONE and counts[reason]
    }


def _by_endpoint(
    names: Sequence[str],
    samples: Samples,
    kept: npt.NDArray[np.bool_],
    latency_ns: npt.NDArray[np.int64],
) -> tuple[EndpointFigures, ...]:
    """Figures of each endpoint; none where there is but one, or where samples don't tell."""
    where = samples.endpoint
    if where is None or len(names) < 2 or not (where >= 0).any():
        return ()
    of_kept = where[kept]
    return tuple(
        EndpointFigures(
            endpoint=name,
            requests=int((where == place).sum()),
            failed=int(((where == place) & (samples.failure != Failure.NONE)).sum()),
            share=float((of_kept == place).mean()) if len(of_kept) else 0.0,
            latency_ns=latency_ns[of_kept == place],
        )
        for place, name in enumerate(names)
    )


def _closed_rates(
    planned: BlockPlan,
    cell: CellRound,
    samples: Samples,
    counted: npt.NDArray[np.bool_],
    kept: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Throughput of each slice of closed load and of the whole round, and its second half ÷ first half."""
    count, users = len(cell.slices), planned.load.users
    good = np.bincount(samples.slice[kept], minlength=count).astype(np.float64)
    latency_ns = np.bincount(
        samples.slice[counted], samples.latency_ns[counted], minlength=count
    ).astype(np.float64)
    think_ns = np.array([piece.think_ns for piece in cell.slices], dtype=np.float64)

    def together(part: slice) -> float:
        return stats.closed_rates(users, good[part], latency_ns[part], think_ns[part])[1]

    rates, whole = stats.closed_rates(users, good, latency_ns, think_ns)
    middle = count // 2
    halves = (
        _halves(together(slice(0, middle)), together(slice(count - middle, count)))
        if middle
        else math.nan
    )
    return rates, whole, halves


def headline(planned: BlockPlan, cell: CellRound, samples: Samples) -> float:
    """Return the block's headline metric for a cell in a round; NaN without any correct reply."""
    if not planned.has_throughput:
        return round_figures(planned, cell, samples).latency_p50_ns / 1e6
    # A pacing asks after every round: it need not wait for figures that it does not look at.
    counted = _counted(cell, samples)
    kept = counted & (samples.failure == Failure.NONE)
    return _closed_rates(planned, cell, samples, counted, kept)[1]


def _trends(
    samples: Samples, kept: npt.NDArray[np.bool_], from_ns: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Least squares of latency on when a request was due, slice by slice.

    Returns:
        Slope, NaN without two requests; and latency in ns at the beginning of the window.
    """
    slopes, begins_ns = np.full(len(from_ns), math.nan), np.zeros(len(from_ns))
    for number, begin_ns in enumerate(from_ns):
        mine = kept & (samples.slice == number)
        due_ns = (samples.intended_ns[mine] - begin_ns).astype(np.float64)
        if len(due_ns) < 2 or np.ptp(due_ns) == 0:
            continue
        latency_ns = samples.latency_ns[mine]
        centred = due_ns - due_ns.mean()
        slopes[number] = centred @ latency_ns / (centred @ centred)
        begins_ns[number] = max(0.0, latency_ns.mean() - slopes[number] * due_ns.mean())
    return slopes, begins_ns


def _halves_of_throughput(slice_rps: npt.NDArray[np.float64]) -> float:
    """Throughput of the second half of a round's slices of open load ÷ that of the first half."""
    middle = len(slice_rps) // 2
    if not middle:
        return math.nan
    return _halves(float(slice_rps[:middle].mean()), float(slice_rps[-middle:].mean()))


def _halves(first: float, second: float) -> float:
    """NaN where a half is nothing: that says too little to be a measurement."""
    return second / first if first > 0 and second > 0 else math.nan


def _halves_of_latency(
    slices: npt.NDArray[np.int32], latency_ns: npt.NDArray[np.int64], count: int
) -> float:
    """Median latency of the second half of a round's slices ÷ that of the first half.

    Under open load the schedule fixes the throughput, so only latency can show a trend.
    """
    first, second = latency_ns[slices < count // 2], latency_ns[slices >= count - count // 2]
    if not len(first) or not len(second):
        return math.nan
    return float(np.median(second) / np.median(first))
