"""One cell over all its rounds: its figures, and the gates that say whether they can be used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis import gates, stats
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import UNKNOWN, Pool, confidence_of
from harness.models import (
    BlockPlan,
    CellSummary,
    GateResult,
    Measures,
    Plan,
    RunRecord,
    ScheduleKept,
    Stack,
    TimelinePoint,
    Usage,
)

#: A request was late that was sent this long after it was due.
LATE_NS = 1_000_000
_MIB = 1 << 20


def summarise(
    run: RunRecord,
    block: BlockPlan,
    stack: Stack,
    figures: Mapping[str, Sequence[RoundFigures]],
    pool: Pool,
) -> CellSummary:
    """The row of a stack: figures over all rounds, and its gates."""
    own = figures[stack.label]
    servers = _servers(own)
    others = [one for label, rounds in figures.items() if label != stack.label for one in rounds]
    latency = pool.estimates()
    starts = block.counts_starts
    if starts:  # of so few samples, a percentile of the tail would be the slowest or a guess
        latency = {name: latency[name] if name in pool.supported else UNKNOWN for name in latency}
    requests = sum(one.cell.requests for one in own)
    kept = _schedule_kept(own, run.plan)
    confidence = confidence_of(run.plan)
    return CellSummary(
        scenario=block.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=block.load.label,
        rounds=len(own),
        requests=requests,
        errors=sum(one.failed for one in own),
        throughput_rps=UNKNOWN
        if starts
        else stats.log_mean([one.throughput_rps for one in own], confidence),
        latency_ms=latency,
        cpu_us_per_request=stats.log_mean([one.cpu_us_per_request for one in own], confidence),
        pss_mib=_pss_mib(block, servers),
        threads=max(server.threads for server in servers) if servers else None,
        switches_per_request=sum(server.context_switches for server in servers) / max(1, requests)
        if servers
        else math.nan,
        schedule=kept,
        gates=_gates(run, block, own, others, kept, latency["p50"].value),
        latency_curve_ms=tuple(pool.curve_ms()),
        timeline=() if starts else _timeline(own, figures),
    )


def _servers(rounds: Sequence[RoundFigures]) -> list[Usage]:
    """What the stack used in each round; empty if a round could not meter it."""
    servers = [one.cell.server for one in rounds]
    metered = [server for server in servers if server is not None]
    return metered if len(metered) == len(servers) else []


def _pss_mib(block: BlockPlan, servers: Sequence[Usage]) -> float:
    """The largest of the rounds; unknown where nothing started, or where our own code is in it."""
    largest = max((server.pss_bytes for server in servers), default=0)
    known = largest and block.scenario.measures is not Measures.TEST_CLIENT
    return largest / _MIB if known else math.nan


def _schedule_kept(figures: Sequence[RoundFigures], plan: Plan) -> ScheduleKept | None:
    """All rounds of a cell under open load; None under closed load."""
    kept = [one.schedule for one in figures if one.schedule]
    if not kept:
        return None
    window_s = sum(one.window_s for one in kept)
    lag_ns = np.concatenate([one.lag_ns for one in kept])
    return ScheduleKept(
        offered_rps=sum(one.offered for one in kept) / window_s,
        achieved_rps=sum(one.achieved for one in kept) / window_s,
        lag_p99_ms=float(np.quantile(lag_ns, 0.99)) / 1e6 if len(lag_ns) else math.nan,
        late=int((lag_ns > LATE_NS).sum()),
        starved=sum(one.cell.starved for one in figures),
        never_sent=sum(one.never_sent for one in kept),
        service_ms=Pool([one.service_ns for one in kept], plan).estimates(),
    )


def _gates(
    run: RunRecord,
    block: BlockPlan,
    figures: Sequence[RoundFigures],
    others: Sequence[RoundFigures],
    kept: ScheduleKept | None,
    latency_p50_ms: float,
) -> tuple[GateResult, ...]:
    measures = block.scenario.measures
    servers = _servers(figures)
    examples = [example for one in figures for example in one.cell.error_examples]
    wall_s = sum(one.cell.wall_s for one in figures)
    load_cpu_s = [sum(each) for each in zip(*(one.cell.load_cpu_s for one in figures), strict=True)]
    result = [
        gates.errors(
            sum(one.cell.requests for one in figures),
            sum(one.failed for one in figures),
            block.scenario.kind,
            examples[0] if examples else "",
            what="starts" if measures is Measures.STARTS else "requests",
        )
    ]
    # A start's one answer is checked by itself, and a server that ends has failed to start.
    if measures is not Measures.STARTS:
        result.append(
            gates.parity([difference for one in figures for difference in one.cell.parity])
        )
        if servers:
            result.append(gates.alive([one.cell.died for one in figures if one.cell.died]))
    if load_cpu_s:  # a start and a test client have no load process
        result.append(gates.load_busy(load_cpu_s, wall_s))
    result.append(gates.settled(_halves_beside_others(figures, others)))
    # The CPU time of a start goes beyond its first answer, until it is at rest.
    if servers and measures is not Measures.STARTS:
        result.append(
            gates.possible(
                float(np.mean([one.throughput_rps for one in figures])),
                sum(server.cpu_s for server in servers)
                / max(1, sum(one.cell.requests for one in figures)),
                len(run.placement.servers),
            )
        )
    result.append(gates.rounds(len(figures)))
    if kept:
        result.append(gates.schedule_lag(kept.lag_p99_ms, latency_p50_ms, kept.starved))
        result.append(gates.kept_up(kept.achieved_rps, kept.offered_rps))
    elif measures is not Measures.STARTS:
        # Of a test client: whether asking took the time, and not our checking in between.
        in_flight = float(np.mean([one.in_flight for one in figures]))
        result.append(gates.little(block.load.users, in_flight))
    cores = set(run.placement.services)
    if cores:
        used = _services_cpu_s(figures)
        if cores & set(run.placement.load):
            used["load"] = sum(load_cpu_s)
        if any(seconds is not None for seconds in used.values()):
            result.append(gates.service_cores_busy(used, wall_s, len(cores)))
    return tuple(result)


def _halves_beside_others(
    own: Sequence[RoundFigures], others: Sequence[RoundFigures]
) -> list[float]:
    """Per round: second ÷ first half, divided by the geometric mean of the other stacks'."""
    result = []
    for one in own:
        beside = [other.halves for other in others if other.round == one.round]
        drift = stats.log_mean(beside).value if beside else 1.0
        result.append(one.halves / drift if drift > 0 else one.halves)
    return result


def _timeline(
    own: Sequence[RoundFigures], figures: Mapping[str, Sequence[RoundFigures]]
) -> tuple[TimelinePoint, ...]:
    """Throughput slice by slice; rounds of the scenario follow each other without the pauses."""
    ends: dict[int, int] = {}
    for one in (one for rounds in figures.values() for one in rounds):
        last = one.cell.slices[-1].end_ns if one.cell.slices else 0
        ends[one.round] = max(ends.get(one.round, 0), last)
    begins: dict[int, int] = {}
    total = 0
    for number in sorted(ends):
        begins[number] = total
        total += ends[number]
    return tuple(
        TimelinePoint(
            round=one.round,
            elapsed_s=(begins[one.round] + (piece.from_ns + piece.to_ns) / 2) / 1e9,
            throughput_rps=float(rps),
        )
        for one in own
        for piece, rps in zip(one.cell.slices, one.slice_rps, strict=True)
    )


#: Service -> what the gate calls it.
_SERVICES = {"postgres": "PostgreSQL", "upstream": "upstream"}


def _services_cpu_s(figures: Sequence[RoundFigures]) -> dict[str, float | None]:
    """Service -> its CPU time in all slices of a cell; None if it is not known of every round."""
    names = dict.fromkeys(name for one in figures for name in one.cell.services_cpu_s)
    total: dict[str, float | None] = {}
    for name in names:
        seconds = [one.cell.services_cpu_s.get(name) for one in figures]
        known = [value for value in seconds if value is not None]
        total[_SERVICES.get(name, name)] = sum(known) if len(known) == len(seconds) else None
    return total
