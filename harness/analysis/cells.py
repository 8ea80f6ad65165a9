"""One cell over all its rounds: its figures, and the gates that say whether they can be used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.analysis import gates, stats
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import UNKNOWN, Pool, confidence_of
from harness.models import (
    OTHER_CORES,
    SERVER_CORES,
    BlockPlan,
    CellRound,
    CellSummary,
    CoreUsage,
    Estimate,
    GateResult,
    Kind,
    Measures,
    Overload,
    Plan,
    RunRecord,
    ScheduleKept,
    Stack,
    TimelinePoint,
    Usage,
)

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
    others = [
        rounds for label, rounds in figures.items() if label != stack.label and len(rounds) > 0
    ]
    latency = pool.estimates()
    starts = block.counts_starts
    if starts:  # of so few samples, a percentile of the tail would be the slowest or a guess
        latency = {name: latency[name] if name in pool.supported else UNKNOWN for name in latency}
    requests = sum(one.cell.requests for one in own)
    kept = _schedule_kept(own, run.plan, pool)
    confidence = confidence_of(run.plan)
    cores = {
        group: usages for group in (SERVER_CORES, OTHER_CORES) if (usages := _usages(own, group))
    }
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
        switches_per_request=sum(server.context_switches for server in servers)
        / max(1, sum(one.sent for one in own))
        if servers
        else math.nan,
        schedule=kept,
        gates=_gates(run, block, own, others, kept, latency),
        latency_curve_ms=tuple(pool.curve_ms()),
        timeline=() if starts else _timeline(own, figures),
        foreign_share={group: gates.foreign_share(usages) for group, usages in cores.items()},
        steal_share={group: gates.steal_share(usages) for group, usages in cores.items()},
        overload=overload_of(own),
    )


def _usages(rounds: Sequence[RoundFigures], group: str) -> list[CoreUsage]:
    """What a group of cores did in each round; empty when that is unknown of one of them."""
    usages = [figures.cell.cores[group] for figures in rounds if group in figures.cell.cores]
    return usages if len(usages) == len(rounds) else []


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


def _schedule_kept(
    figures: Sequence[RoundFigures], plan: Plan, latency: Pool
) -> ScheduleKept | None:
    """All rounds of a cell under open load; None under closed load."""
    kept = [one.schedule for one in figures if one.schedule]
    if not kept:
        return None
    window_s = sum(one.window_s for one in kept)
    lag_ns = np.concatenate([one.lag_ns for one in kept])
    lag_ms = np.quantile(lag_ns, [0.5, 0.99]) / 1e6 if len(lag_ns) else [math.nan, math.nan]
    return ScheduleKept(
        offered_rps=sum(one.offered for one in kept) / window_s,
        achieved_rps=sum(one.achieved for one in kept) / window_s,
        lag_p50_ms=float(lag_ms[0]),
        lag_p99_ms=float(lag_ms[1]),
        late=sum(one.late for one in kept),
        starved=sum(one.cell.starved for one in figures),
        never_sent=sum(one.never_sent for one in kept),
        service_ms=Pool([one.service_ns for one in kept], plan).estimates(),
        lag_effect_ms=latency.exceeded_by_ms([one.with_lag_ns for one in kept]),
    )


def overload_of(figures: Sequence[RoundFigures]) -> Overload | None:
    """What to report of a server that could not keep up in all rounds together; None if it did.

    A server that takes long for each answer has fewer answers than requests at the beginning of
    each slice, and then as many. Only one that falls further behind to the end is overloaded.
    """
    kept = [one.schedule for one in figures if one.schedule]
    window_s = sum(one.window_s for one in kept)
    if not kept or not window_s:
        return None
    achieved, offered = sum(one.achieved for one in kept), sum(one.offered for one in kept)
    achieved_later = sum(one.achieved_later for one in kept)
    offered_later = sum(one.offered_later for one in kept)
    if gates.kept_up(achieved, offered) or gates.kept_up(achieved_later, offered_later):
        return None
    return Overload(
        answered_rps=achieved / window_s,
        due_rps=offered / window_s,
        never_sent=sum(one.never_sent for one in kept),
        timed_out=sum(one.timed_out for one in kept),
    )


def _gates(
    run: RunRecord,
    block: BlockPlan,
    figures: Sequence[RoundFigures],
    others: Sequence[Sequence[RoundFigures]],
    kept: ScheduleKept | None,
    latency: Mapping[str, Estimate],
) -> tuple[GateResult, ...]:
    measures = block.scenario.measures
    servers = _servers(figures)
    examples = [example for one in figures for example in one.cell.error_examples]
    wall_s = sum(one.cell.wall_s for one in figures)
    load_cpu_s = [
        sum(each) for each in zip(*(_load_work_s(one.cell) for one in figures), strict=True)
    ]
    # Requests that an overloaded server never came to are part of that finding.
    overload = overload_of(figures)
    lost = overload.never_sent + overload.timed_out if overload else 0
    result = [
        gates.errors(
            sum(one.cell.requests for one in figures) - lost,
            sum(one.failed for one in figures) - lost,
            block.scenario.kind,
            examples[0] if examples and not lost else "",
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
                sum(server.cpu_s for server in servers) / max(1, sum(one.sent for one in figures)),
                len(run.placement.servers),
            )
        )
    result.append(gates.rounds(len(figures)))
    if kept:
        latency_ms = {name: estimate.value for name, estimate in latency.items()}
        result.append(
            gates.schedule_lag(kept.lag_p50_ms, kept.lag_p99_ms, latency_ms, kept.lag_effect_ms)
        )
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
    result.extend(_core_gates(run, block, figures))
    return tuple(result)


def _core_gates(
    run: RunRecord, block: BlockPlan, figures: Sequence[RoundFigures]
) -> Iterator[GateResult]:
    """Judge who else was on the servers' cores; nothing where that is unknown."""
    usages = _usages(figures, SERVER_CORES)
    if not usages:
        return
    cores = len(run.placement.servers)
    slices = sum(len(of_round.cell.slices) for of_round in figures)
    unmetered = any(None in of_round.cell.services_cpu_s.values() for of_round in figures)
    # A service that somebody else started can't be told from foreign load where requests use it.
    if not (unmetered and block.scenario.kind in (Kind.IO, Kind.MIXED)):
        busiest = [
            process
            for finished in run.rounds
            for usage in finished.blocks
            if usage.key == block.key
            for process in usage.busiest
        ]
        yield gates.foreign_load(usages, cores=cores, slices=slices, busiest=busiest)
    yield gates.steal_time(usages, cores=cores, slices=slices)


def _load_work_s(cell: CellRound) -> list[float]:
    """CPU seconds of each load process without those spent on spinning until a request was due.

    A load process spins only while it has nothing else to do, so that one without time to spare
    does not look idle by this.
    """
    spun_s = cell.load_spun_s or (0.0,) * len(cell.load_cpu_s)
    return [cpu_s - spun for cpu_s, spun in zip(cell.load_cpu_s, spun_s, strict=True)]


def _halves_beside_others(
    own: Sequence[RoundFigures], others: Sequence[Sequence[RoundFigures]]
) -> list[float]:
    """Per round: second ÷ first half, divided by the geometric mean of the other stacks'.

    The latency of an overloaded stack says how long its queue was, so its throughput is looked at
    instead, beside that of other overloaded stacks.
    """
    overloaded = overload_of(own) is not None
    alike = [rounds for rounds in others if (overload_of(rounds) is not None) == overloaded]
    result = []
    for one in own:
        beside = [
            _halves(other, overloaded) for rounds in alike for other in rounds
            if other.round == one.round
        ]  # fmt: skip
        drift = stats.log_mean(beside).value if beside else 1.0
        halves = _halves(one, overloaded)
        result.append(halves / drift if drift > 0 else halves)
    return result


def _halves(figures: RoundFigures, overloaded: bool) -> float:
    if overloaded and figures.schedule:
        return figures.schedule.throughput_halves
    return figures.halves


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
