"""Sums up a cell over all its rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis import gates, stats
from harness.analysis.cell_gates import gates_of
from harness.analysis.figures import EndpointFigures, RoundFigures
from harness.analysis.pauses import pauses, unless_dear
from harness.analysis.percentiles import UNKNOWN, Pool, confidence_of, quantile_confidence_of
from harness.analysis.resources import core_usages, server_usages
from harness.analysis.saturation import core_share, limited_by_users, taken_share
from harness.analysis.schedules import overload_of, schedule_kept
from harness.models import (
    OTHER_CORES,
    SERVER_CORES,
    BlockPlan,
    CellSummary,
    EndpointSummary,
    Measures,
    Pauses,
    Plan,
    RunRecord,
    ShortSlices,
    Stack,
    TimelinePoint,
    Usage,
)

_MIB = 1 << 20
#: A slice this many times as long as a request gives waiting the time to grow as long as it gets.
MIN_SLICE = 3


def summarise(
    run: RunRecord,
    block: BlockPlan,
    stack: Stack,
    figures: Mapping[str, Sequence[RoundFigures]],
    pool: Pool,
) -> CellSummary:
    """Sum up the cell of a stack.

    Args:
        run: the run that the cell belongs to.
        block: the block that the cell belongs to.
        stack: the stack.
        figures: stack -> figures of its rounds, for all stacks of the block.
        pool: latencies of the stack's rounds.
    """
    rounds = figures[stack.label]
    others = [of_other for label, of_other in figures.items() if label != stack.label and of_other]
    servers = server_usages(rounds)
    latency = pool.estimates(quantile_confidence_of(run.plan, len(rounds)))
    sent = sum(measured.sent for measured in rounds)
    kept = schedule_kept(rounds, run, pool)
    confidence = confidence_of(run.plan, len(rounds))
    cores = {
        group: usages
        for group in (SERVER_CORES, OTHER_CORES)
        if (usages := core_usages(rounds, group))
    }
    slices_s = [
        (turn.end_ns - turn.begin_ns) / 1e9 for measured in rounds for turn in measured.cell.slices
    ]
    share = core_share(run, block, stack, rounds)
    overload = overload_of(rounds)
    waits = [measured.waits for measured in rounds if measured.waits is not None]
    endpoints = _endpoints(run.plan, rounds, confidence)
    kinds_ms = [each.latency_ms["p50"].value for each in endpoints]
    paused = unless_dear(pauses(waits, taken_share(rounds)), kinds_ms)
    return CellSummary(
        scenario=block.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=block.load.label,
        rounds=len(rounds),
        requests=sum(measured.cell.requests for measured in rounds),
        errors=sum(measured.failed for measured in rounds),
        throughput_rps=UNKNOWN
        if block.counts_starts
        else stats.log_mean([measured.throughput_rps for measured in rounds], confidence),
        latency_ms=latency,
        cpu_us_per_request=stats.log_mean(
            [measured.cpu_us_per_request for measured in rounds], confidence
        ),
        pss_mib=_pss_mib(block, servers),
        threads=max(server.threads for server in servers) if servers else None,
        switches_per_request=sum(server.context_switches for server in servers) / max(1, sent)
        if servers
        else math.nan,
        schedule=kept,
        gates=gates_of(run, block, rounds, others, kept, latency),
        latency_curve_ms=tuple(pool.curve_ms()),
        timeline=() if block.counts_starts else _timeline(rounds, figures),
        slices=len(slices_s),
        slice_s=sum(slices_s) / len(slices_s) if slices_s else math.nan,
        foreign_share={group: gates.foreign_share(usages) for group, usages in cores.items()},
        steal_share={group: gates.steal_share(usages) for group, usages in cores.items()},
        overload=overload,
        core_share=share,
        limited_by_users=limited_by_users(run, block, stack, share, rounds),
        pauses=paused,
        uss_mib=_uss_mib(block, servers),
        endpoints=endpoints,
        # Of starts nothing is cut off, and the latency of an overloaded stack says nothing anyway.
        short_slices=None
        if block.counts_starts or overload
        else short_slices(block, rounds, latency["p99"].value, paused),
    )


def _endpoints(
    plan: Plan, rounds: Sequence[RoundFigures], confidence: float
) -> tuple[EndpointSummary, ...]:
    """Sum up each endpoint over the rounds in which it was requested."""
    found: dict[str, list[tuple[RoundFigures, EndpointFigures]]] = {}
    for measured in rounds:
        for each in measured.endpoints:
            found.setdefault(each.endpoint, []).append((measured, each))
    return tuple(
        EndpointSummary(
            endpoint=name,
            requests=sum(each.requests for _, each in of_rounds),
            errors=sum(each.failed for _, each in of_rounds),
            throughput_rps=stats.log_mean(
                [measured.throughput_rps * each.share for measured, each in of_rounds],
                confidence,
            ),
            latency_ms=Pool([each.latency_ns for _, each in of_rounds]).estimates(
                quantile_confidence_of(plan, len(of_rounds))
            ),
        )
        for name, of_rounds in found.items()
    )


def short_slices(
    block: BlockPlan, rounds: Sequence[RoundFigures], p99_ms: float, paused: Pauses | None
) -> ShortSlices | None:
    """Say so if slices are not several times as long as p99, so that waiting may still grow.

    Each slice begins without a queue. Where a stack serves some users much later than others, the
    longest waits need longer slices to show. Under closed load a pause is no such wait, because
    every request counts with its whole time (tests/test_slice_length.py); so p99 is taken without it.
    """
    lengths_ms = [
        (turn.to_ns - (turn.from_ns if block.load.is_open else turn.begin_ns)) / 1e6
        for measured in rounds
        for turn in measured.cell.slices
    ]
    if not lengths_ms:
        return None
    slice_ms = float(np.median(lengths_ms))
    pause_ms = paused.longest_ms if paused and paused.count else 0.0
    slowest_ms = p99_ms if block.load.is_open else p99_ms - pause_ms
    if math.isnan(slowest_ms) or slice_ms >= MIN_SLICE * slowest_ms:
        return None
    return ShortSlices(slice_ms, slowest_ms)


def _pss_mib(block: BlockPlan, servers: Sequence[Usage]) -> float:
    """Memory of the round in which it was largest.

    It is unknown if no server started, or if the measured process also holds our own code.
    """
    largest = max((server.pss_bytes for server in servers), default=0)
    known = largest and block.scenario.measures is not Measures.TEST_CLIENT
    return largest / _MIB if known else math.nan


def _uss_mib(block: BlockPlan, servers: Sequence[Usage]) -> float:
    """Memory that the stack's processes share with nobody; unknown where one round has no figure."""
    known = [server.uss_bytes for server in servers if server.uss_bytes is not None]
    if len(known) < len(servers) or block.scenario.measures is Measures.TEST_CLIENT:
        return math.nan
    largest = max(known, default=0)
    return largest / _MIB if largest else math.nan


def _timeline(
    rounds: Sequence[RoundFigures], figures: Mapping[str, Sequence[RoundFigures]]
) -> tuple[TimelinePoint, ...]:
    """Throughput slice by slice; the pauses between the rounds of the block are left out."""
    ends: dict[int, int] = {}
    for measured in (measured for of_stack in figures.values() for measured in of_stack):
        end_ns = measured.cell.slices[-1].end_ns if measured.cell.slices else 0
        ends[measured.round] = max(ends.get(measured.round, 0), end_ns)
    begins: dict[int, int] = {}
    total = 0
    for number in sorted(ends):
        begins[number] = total
        total += ends[number]
    return tuple(
        TimelinePoint(
            round=measured.round,
            elapsed_s=(begins[measured.round] + (turn.from_ns + turn.to_ns) / 2) / 1e9,
            throughput_rps=float(rps),
        )
        for measured in rounds
        for turn, rps in zip(measured.cell.slices, measured.slice_rps, strict=True)
    )
