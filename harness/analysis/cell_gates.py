"""Which gates a cell is asked, and with which figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.analysis import gates, stats
from harness.analysis.figures import RoundFigures
from harness.analysis.resources import (
    SERVICE_OF,
    core_usages,
    load_cpu_s,
    server_usages,
    services_cpu_s,
)
from harness.analysis.schedules import overload_of
from harness.models import (
    SERVER_CORES,
    BlockPlan,
    Estimate,
    GateResult,
    Measures,
    RunRecord,
    ScheduleKept,
)


def gates_of(
    run: RunRecord,
    block: BlockPlan,
    rounds: Sequence[RoundFigures],
    others: Sequence[Sequence[RoundFigures]],
    kept: ScheduleKept | None,
    latency: Mapping[str, Estimate],
) -> tuple[GateResult, ...]:
    """Ask a cell every gate that applies to what its scenario measures.

    Args:
        run: the run that the cell belongs to.
        block: the block that the cell belongs to.
        rounds: the cell's rounds.
        others: rounds of the block's other stacks, stack by stack.
        kept: how the schedule was kept; None under closed load.
        latency: percentile -> latency of the cell, in ms.
    """
    measures = block.scenario.measures
    load_s, wall_s = load_cpu_s(rounds), sum(measured.cell.wall_s for measured in rounds)
    asked = [_errors(block, rounds)]
    if measures is not Measures.STARTS:  # the reply of a start is checked by itself
        asked += _contract(block, rounds)
    if load_s:  # starts and test clients have no load process
        asked.append(gates.load_busy(load_s, wall_s))
    asked.append(gates.settled(_halves_beside_others(rounds, others)))
    # The CPU time of a start goes beyond its first reply, until the server is at rest.
    if measures is not Measures.STARTS:
        asked += _possible(run, rounds)
    asked.append(gates.rounds(len(rounds)))
    if kept and not math.isnan(kept.lag_p99_ms):  # older runs don't say what the lag was
        latency_ms = {name: estimate.value for name, estimate in latency.items()}
        asked.append(
            gates.schedule_lag(kept.lag_p50_ms, kept.lag_p99_ms, latency_ms, kept.lag_effect_ms)
        )
    elif not kept and measures is not Measures.STARTS:
        # For a test client: whether requests took the time, and not our checks between them.
        asked.append(
            gates.little(
                block.load.users,
                float(np.mean([measured.in_flight for measured in rounds])),
                float(np.mean([measured.in_flight_reported for measured in rounds])),
                float(np.mean([measured.thinking for measured in rounds])),
                users_wait=any(measured.cell.names_endpoints for measured in rounds),
            )
        )
    asked += _service_cores(run, rounds, load_s, wall_s)
    asked += _server_cores(run, block, rounds)
    return tuple(asked)


def _errors(block: BlockPlan, rounds: Sequence[RoundFigures]) -> GateResult:
    examples = [example for measured in rounds for example in measured.cell.error_examples]
    # Requests that an overloaded server never came to are part of that finding.
    overload = overload_of(rounds)
    lost = overload.never_sent + overload.timed_out if overload else 0
    return gates.errors(
        sum(measured.cell.requests for measured in rounds) - lost,
        sum(measured.failed for measured in rounds) - lost,
        block.scenario.kind,
        examples[0] if examples and not lost else "",
        what="starts" if block.counts_starts else "requests",
    )


def _contract(block: BlockPlan, rounds: Sequence[RoundFigures]) -> Iterator[GateResult]:
    """Gates on parity and on server processes that ended."""
    if not block.scenario.locustfile:  # whose requests nobody knows beforehand
        found = [difference for measured in rounds for difference in measured.cell.parity]
        yield gates.parity(found, own=block.scenario.is_own)
    if server_usages(rounds):
        yield gates.alive([measured.cell.died for measured in rounds if measured.cell.died])


def _possible(run: RunRecord, rounds: Sequence[RoundFigures]) -> Iterator[GateResult]:
    """Not asked where processes can't be metered, or where servers may use any core."""
    cores = len(run.placement.servers)
    metered = [each for each in rounds if not math.isnan(each.cpu_us_per_request)]
    if cores and metered:
        shares = [each.throughput_rps * each.cpu_us_per_request / 1e6 / cores for each in metered]
        yield gates.possible(shares, resolution(metered))


def resolution(rounds: Sequence[RoundFigures]) -> float:
    """How far a throughput may be off, relative, because it was told by so few replies."""
    windows = sum(len(measured.cell.slices) for measured in rounds)
    replies = sum(len(measured.latency_ns) for measured in rounds)
    in_flight = sum(measured.in_flight for measured in rounds) / len(rounds)
    # In one window by in flight ÷ (replies ÷ windows); in the mean of all by its √windows-th part.
    return gates.EDGE_SHARE * in_flight * math.sqrt(windows) / max(1, replies)


def _service_cores(
    run: RunRecord, rounds: Sequence[RoundFigures], load_s: Sequence[float], wall_s: float
) -> Iterator[GateResult]:
    """Whether services and load had cores enough; not asked where nothing is pinned."""
    cores = set(run.placement.services)
    used = services_cpu_s(rounds)
    if cores & set(run.placement.load):
        used["load"] = sum(load_s)
    if cores and any(seconds is not None for seconds in used.values()):
        yield gates.service_cores_busy(used, wall_s, len(cores))


def _server_cores(
    run: RunRecord, block: BlockPlan, rounds: Sequence[RoundFigures]
) -> Iterator[GateResult]:
    """Gates on what other programs used of the servers' cores; none if the system does not tell."""
    usages = core_usages(rounds, SERVER_CORES)
    if not usages:
        return
    cores = len(run.placement.servers)
    slices = sum(len(measured.cell.slices) for measured in rounds)
    if _knows_its_own(block, rounds):
        busiest = [
            process
            for finished in run.rounds
            for usage in finished.blocks
            if usage.key == block.key
            for process in usage.busiest
        ]
        yield gates.foreign_load(usages, cores=cores, slices=slices, busiest=busiest)
    yield gates.steal_time(usages, cores=cores, slices=slices)


def _knows_its_own(block: BlockPlan, rounds: Sequence[RoundFigures]) -> bool:
    """Whether what runs for the cell can be told from what others run.

    A target that we did not start, or a service that requests use, may be on any core. A start
    opens connections to services and asks for nothing more.
    """
    if not server_usages(rounds):
        return False
    used = {SERVICE_OF.get(need) for need in block.scenario.needs}
    return block.counts_starts or not any(
        name in used and seconds is None
        for measured in rounds
        for name, seconds in measured.cell.services_cpu_s.items()
    )


def _halves_beside_others(
    rounds: Sequence[RoundFigures], others: Sequence[Sequence[RoundFigures]]
) -> list[float]:
    """Per round that has halves: second ÷ first half, divided by the geometric mean of the other stacks'.

    The latency of an overloaded stack says how long its queue was. So its throughput is compared
    instead, with that of other overloaded stacks.
    """
    overloaded = overload_of(rounds) is not None
    alike = [
        measured
        for of_other in others
        if (overload_of(of_other) is not None) == overloaded
        for measured in of_other
    ]
    ratios = []
    for measured in rounds:
        halves = _halves(measured, overloaded)
        if math.isnan(halves):
            continue
        beside = [
            found
            for other in alike
            if other.round == measured.round and not math.isnan(found := _halves(other, overloaded))
        ]
        ratios.append(halves / (stats.log_mean(beside).value if beside else 1.0))
    return ratios


def _halves(figures: RoundFigures, overloaded: bool) -> float:
    if overloaded and figures.schedule:
        return figures.schedule.throughput_halves
    return figures.halves
