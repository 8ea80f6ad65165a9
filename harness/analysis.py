"""From a run's raw data to everything that the tables, charts and page say.

Reads samples through a function that it is given; starts nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness import gates, stats
from harness.models import (
    Analysis,
    Calibration,
    CellPlan,
    CellRound,
    CellSummary,
    Comparison,
    Estimate,
    Failure,
    GateResult,
    Measures,
    Overload,
    Plan,
    RunRecord,
    ScheduleKept,
    Stack,
    TimelinePoint,
    Verdict,
)

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
#: Where the latency chart has its points; the tail gets as many as the middle.
CURVE = tuple(
    sorted({*QUANTILES.values(), *(1 - 10**-e for e in np.linspace(math.log10(2), 4, 60))})
)
#: A quantile is drawn only where at least so many samples lie beyond it.
SAMPLES_BEYOND = 10
RESAMPLES = 1000
#: Sent so long after it was due, a request was late.
LATE_NS = 1_000_000
_MIB = 1 << 20
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


class Samples(Protocol):
    """One cell's samples of one round, as store.Samples has them."""

    @property
    def slice(self) -> npt.NDArray[np.int32]:
        """Which slice a request belongs to."""

    @property
    def intended_ns(self) -> npt.NDArray[np.int64]:
        """When it was due; in closed load, when it was sent."""

    @property
    def start_ns(self) -> npt.NDArray[np.int64]:
        """When it was sent."""

    @property
    def latency_ns(self) -> npt.NDArray[np.int64]:
        """How long it took, from the intended start."""

    @property
    def failure(self) -> npt.NDArray[np.int8]:
        """Why it did not get the promised reply: a models.Failure."""

    @property
    def starved(self) -> npt.NDArray[np.bool_]:
        """Whether it was due while every connection was taken."""


@dataclass(frozen=True, slots=True)
class _Schedule:
    """How one cell's schedule was kept in one round."""

    offered: int  # requests that were due in the counting windows
    achieved: int  # right answers that came in them
    offered_later: int  # the same two of the second halves of the windows
    achieved_later: int
    window_s: float
    never_sent: int
    timed_out: int
    late: int  # requests that were sent more than LATE_NS after they were due
    lag_ns: npt.NDArray[np.int64]  # of all requests that were sent and not starved
    service_ns: npt.NDArray[np.int64]  # of the same requests as the latency
    #: Latency of the same requests without the generator's lag: the time that a starved request
    #: waited for a connection stays in, since that is the server's doing.
    without_lag_ns: npt.NDArray[np.int64]
    throughput_halves: float  # second ÷ first half of the throughput


@dataclass(frozen=True, slots=True)
class _RoundFigures:
    """The figures of one cell in one round."""

    round: int
    throughput_rps: float
    halves: float  # second ÷ first half, of throughput in closed load and of latency in open load
    in_flight: float
    sent: int
    failed: int
    latency_ns: npt.NDArray[np.int64]  # of good replies to requests that were due inside a window
    slice_rps: npt.NDArray[np.float64]
    cpu_us_per_request: float
    schedule: _Schedule | None  # of open load
    cell: CellRound


def analyse(
    run: RunRecord,
    read_samples: Callable[[CellRound], Samples],
) -> Analysis:
    """Summaries, gates, comparisons and verdicts of a run, whole or cut off.

    Args:
        run: plan and journal; its calibration, where there is one, says how far A and A were
            apart on its machine.
        read_samples: gives the samples of a cell and round.
    """
    stacks = {stack.label: stack for stack in run.plan.stacks}
    summaries: list[CellSummary] = []
    drafts: list[_Draft] = []
    for cell in run.plan.cells:
        figures = {
            label: [
                _round_figures(cell, measured, read_samples(measured))
                for measured in _measured(run, cell.scenario.name, label)
            ]
            for label in cell.stacks
        }
        pools = {
            label: _Pool([one.latency_ns for one in rounds], run.plan)
            for label, rounds in figures.items()
            if rounds
        }
        here = [
            _summarise(run, cell, stacks[label], figures, pools[label])
            for label in cell.stacks
            if figures[label]
        ]
        summaries.extend(here)
        valid = {summary.stack: summary.valid for summary in here}
        overloaded = {summary.stack for summary in here if summary.overloaded}
        for baseline, candidate in (*cell.pairs, *cell.steps):
            if figures[baseline] and figures[candidate]:
                both_valid = valid[baseline] and valid[candidate]
                drafts.extend(
                    _compare(
                        run, cell, baseline, candidate, figures, pools,
                        valid=both_valid, overloaded=bool({baseline, candidate} & overloaded),
                    )
                )  # fmt: skip
    return Analysis(
        run=run,
        cells=tuple(summaries),
        comparisons=_with_verdicts(drafts, run),
        noise_floor=_band("throughput_rps", run.calibration),
        idle_core_share=_idle_core_share(run),
        harness_core_share=_harness_core_share(run),
    )


def _measured(run: RunRecord, scenario: str, stack: str) -> list[CellRound]:
    return [
        cell
        for one in run.rounds
        for cell in one.cells
        if cell.scenario == scenario and cell.stack == stack
    ]


def _round_figures(planned: CellPlan, cell: CellRound, samples: Samples) -> _RoundFigures:
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
    sent = samples.failure != Failure.NEVER_SENT
    requests = int(sent.sum())
    slice_rps = rates.throughput_rps
    schedule = None
    if planned.load.is_open:
        done_ns = samples.intended_ns + samples.latency_ns
        in_window = (done_ns >= from_ns[samples.slice]) & (done_ns < to_ns[samples.slice])
        middle_ns = ((from_ns + to_ns) // 2)[samples.slice]
        # Answers per second, by counting them: an overloaded server answers much of what it was
        # sent in a window only after the window's end.
        answered = np.bincount(samples.slice[in_window & good], minlength=len(window_s))
        slice_rps = answered / window_s
        lag_ns = samples.start_ns - samples.intended_ns
        schedule = _Schedule(
            offered=int(counted.sum()),
            achieved=int((in_window & good).sum()),
            offered_later=int((counted & (samples.intended_ns >= middle_ns)).sum()),
            achieved_later=int((in_window & good & (done_ns >= middle_ns)).sum()),
            window_s=float(window_s.sum()),
            never_sent=int((~sent).sum()),
            timed_out=int((samples.failure == Failure.TIMEOUT).sum()),
            late=int((lag_ns[sent] > LATE_NS).sum()),
            lag_ns=lag_ns[sent & ~samples.starved],
            service_ns=service_ns[kept],
            without_lag_ns=np.where(samples.starved, samples.latency_ns, service_ns)[kept],
            throughput_halves=_halves_of_throughput(slice_rps),
        )
    halves = (
        _halves_of_throughput(rates.throughput_rps)
        if planned.has_throughput
        else _halves_of_latency(samples.slice[kept], latency_ns, len(from_ns))
    )
    return _RoundFigures(
        round=cell.round,
        throughput_rps=float(np.average(slice_rps, weights=window_s)),
        halves=halves,
        in_flight=float(np.average(rates.in_flight, weights=window_s)),
        sent=requests,
        failed=int((~good).sum()),
        latency_ns=latency_ns,
        slice_rps=slice_rps,
        # A request that was never sent costs the server nothing.
        cpu_us_per_request=cell.server.cpu_s / requests * 1e6
        if requests and not cell.died
        else math.nan,
        schedule=schedule,
        cell=cell,
    )


def headline(planned: CellPlan, cell: CellRound, samples: Samples) -> float:
    """What one cell came to in one round, in the metric that decides there."""
    figures = _round_figures(planned, cell, samples)
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


# ------------------------------------------------------------------------ one cell


def _summarise(
    run: RunRecord,
    cell: CellPlan,
    stack: Stack,
    figures: Mapping[str, Sequence[_RoundFigures]],
    pool: _Pool,
) -> CellSummary:
    own = figures[stack.label]
    others = [
        rounds for label, rounds in figures.items() if label != stack.label and len(rounds) > 0
    ]
    latency = pool.estimates()
    starts = cell.counts_starts
    if starts:  # of so few samples, a percentile of the tail would be the slowest or a guess
        latency = {name: latency[name] if name in pool.supported else _UNKNOWN for name in latency}
    requests = sum(one.cell.requests for one in own)
    kept = _schedule_kept(own, run.plan, pool)
    overload = _overload(own)
    confidence = _confidence(run.plan)
    return CellSummary(
        scenario=cell.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=cell.load.label,
        rounds=len(own),
        requests=requests,
        errors=sum(one.failed for one in own),
        throughput_rps=_UNKNOWN
        if starts
        else stats.log_mean([one.throughput_rps for one in own], confidence),
        latency_ms=latency,
        cpu_us_per_request=stats.log_mean([one.cpu_us_per_request for one in own], confidence),
        pss_mib=_pss_mib(cell, own),
        threads=max(one.cell.server.threads for one in own),
        switches_per_request=sum(one.cell.server.context_switches for one in own)
        / max(1, sum(one.sent for one in own)),
        schedule=kept,
        gates=_gates(run, cell, own, others, kept, latency),
        latency_curve_ms=tuple(pool.curve_ms()),
        timeline=() if starts else _timeline(own, figures),
        overload=overload,
    )


def _pss_mib(cell: CellPlan, own: Sequence[_RoundFigures]) -> float:
    """The largest of the rounds; unknown where nothing started, or where our own code is in it."""
    largest = max(one.cell.server.pss_bytes for one in own)
    known = largest and cell.scenario.measures is not Measures.TEST_CLIENT
    return largest / _MIB if known else math.nan


class _Pool:
    """Times (ns) of some rounds together, and how they vary from round to round.

    Made once and used for a cell's own figures and for all its comparisons: with millions of
    samples, finding percentiles is what a report spends its time on.
    """

    def __init__(self, rounds: Sequence[npt.NDArray[np.int64]], plan: Plan) -> None:
        self._rounds = len(rounds)
        self._confidence = _confidence(plan)
        self._samples = sum(map(len, rounds))
        if not self._samples:
            return
        found = np.quantile(np.concatenate(rounds), CURVE, overwrite_input=True)
        self._ns = dict(zip(CURVE, found.tolist(), strict=True))
        # The same seed draws the same rounds for every stack.
        weights = stats.bootstrap_weights(len(rounds), RESAMPLES, plan.seed)
        resampled = stats.LatencyHistogram(rounds).resampled(weights, list(QUANTILES.values()))
        self._resampled_ns = dict(zip(QUANTILES, resampled.T, strict=True))

    def estimates(self) -> dict[str, Estimate]:
        """Percentiles in ms; keys as in QUANTILES."""
        if not self._samples:
            return dict.fromkeys(QUANTILES, _UNKNOWN)
        return {
            name: stats.resampling_interval(
                self._ns[quantile] / 1e6, self._resampled_ns[name], self._rounds, self._confidence
            )
            for name, quantile in QUANTILES.items()
        }

    def curve_ms(self) -> list[tuple[float, float]]:
        """Those points of CURVE beyond which enough samples lie."""
        return [
            (quantile, self._ns[quantile] / 1e6) for quantile in CURVE if self._reaches(quantile)
        ]

    def lag_effect_ms(self, without_lag: Sequence[npt.NDArray[np.int64]]) -> dict[str, float]:
        """Percentile -> by how many ms it exceeds the same of these times of the same requests."""
        if not self._samples:
            return {}
        names = [name for name in QUANTILES if name in self.supported]
        clean_ns = np.quantile(np.concatenate(without_lag), [QUANTILES[name] for name in names])
        return {
            name: (self._ns[QUANTILES[name]] - float(ns)) / 1e6
            for name, ns in zip(names, clean_ns, strict=True)
        }

    @property
    def supported(self) -> set[str]:
        """The median, and those percentiles beyond which enough samples lie."""
        return {"p50", *(name for name, quantile in QUANTILES.items() if self._reaches(quantile))}

    def _reaches(self, quantile: float) -> bool:
        return self._samples * (1 - quantile) >= SAMPLES_BEYOND

    def ratio(self, base: _Pool, name: str) -> Estimate:
        """One of our percentiles ÷ the same of another stack in the same rounds."""
        if not self._samples or not base._samples:
            return _UNKNOWN
        quantile = QUANTILES[name]
        return stats.resampling_interval(
            self._ns[quantile] / base._ns[quantile],
            self._resampled_ns[name] / base._resampled_ns[name],
            self._rounds,
            self._confidence,
        )


def _schedule_kept(
    figures: Sequence[_RoundFigures], plan: Plan, latency: _Pool
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
        service_ms=_Pool([one.service_ns for one in kept], plan).estimates(),
        lag_effect_ms=latency.lag_effect_ms([one.without_lag_ns for one in kept]),
    )


def _overload(figures: Sequence[_RoundFigures]) -> Overload | None:
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
    cell: CellPlan,
    figures: Sequence[_RoundFigures],
    others: Sequence[Sequence[_RoundFigures]],
    kept: ScheduleKept | None,
    latency: Mapping[str, Estimate],
) -> tuple[GateResult, ...]:
    measures = cell.scenario.measures
    examples = [example for one in figures for example in one.cell.error_examples]
    wall_s = sum(one.cell.wall_s for one in figures)
    load_cpu_s = [
        sum(each) for each in zip(*(_load_work_s(one.cell) for one in figures), strict=True)
    ]
    postgres_cpu_s = [one.cell.postgres_cpu_s for one in figures]
    upstream_cpu_s = [one.cell.upstream_cpu_s for one in figures]
    # Requests that an overloaded server never came to are part of that finding.
    overload = _overload(figures)
    lost = overload.never_sent + overload.timed_out if overload else 0
    result = [
        gates.errors(
            sum(one.cell.requests for one in figures) - lost,
            sum(one.failed for one in figures) - lost,
            cell.scenario.kind,
            examples[0] if examples and not lost else "",
            what="starts" if measures is Measures.STARTS else "requests",
        )
    ]
    # A start's one answer is checked by itself, and a server that ends has failed to start.
    if measures is not Measures.STARTS:
        result.append(
            gates.parity([difference for one in figures for difference in one.cell.parity])
        )
        result.append(gates.alive([one.cell.died for one in figures if one.cell.died]))
    if load_cpu_s:  # a start and a test client have no load process
        result.append(gates.load_busy(load_cpu_s, wall_s))
    result.append(gates.settled(_halves_beside_others(figures, others)))
    # The CPU time of a start goes beyond its first answer, until it is at rest.
    if measures is not Measures.STARTS:
        result.append(
            gates.possible(
                float(np.mean([one.throughput_rps for one in figures])),
                sum(one.cell.server.cpu_s for one in figures)
                / max(1, sum(one.sent for one in figures)),
                len(run.placement.servers),
            )
        )
    result.append(gates.rounds(len(figures)))
    if kept:
        latency_ms = {name: latency[name].value for name in kept.lag_effect_ms}
        result.append(gates.schedule_lag(latency_ms, kept.lag_effect_ms, kept.lag_p99_ms))
    elif measures is not Measures.STARTS:
        # Of a test client: whether asking took the time, and not our checking in between.
        in_flight = float(np.mean([one.in_flight for one in figures]))
        result.append(gates.little(cell.load.users, in_flight))
    cores = set(run.placement.services)
    if cores:
        used = {
            "PostgreSQL": None if None in postgres_cpu_s else sum(filter(None, postgres_cpu_s)),
            "upstream": None if None in upstream_cpu_s else sum(filter(None, upstream_cpu_s)),
        }
        if cores & set(run.placement.load):
            used["load"] = sum(load_cpu_s)
        if any(seconds is not None for seconds in used.values()):
            result.append(gates.service_cores_busy(used, wall_s, len(cores)))
    return tuple(result)


def _load_work_s(cell: CellRound) -> list[float]:
    """CPU seconds of each load process without those spent on spinning until a request was due.

    A load process spins only while it has nothing else to do, so that one without time to spare
    does not look idle by this.
    """
    spun_s = cell.load_spun_s or (0.0,) * len(cell.load_cpu_s)
    return [cpu_s - spun for cpu_s, spun in zip(cell.load_cpu_s, spun_s, strict=True)]


def _halves_beside_others(
    own: Sequence[_RoundFigures], others: Sequence[Sequence[_RoundFigures]]
) -> list[float]:
    """Per round: second ÷ first half, divided by the geometric mean of the other stacks'.

    The latency of an overloaded stack says how long its queue was, so its throughput is looked at
    instead, beside that of other overloaded stacks.
    """
    overloaded = _overload(own) is not None
    alike = [rounds for rounds in others if (_overload(rounds) is not None) == overloaded]
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


def _halves(figures: _RoundFigures, overloaded: bool) -> float:
    if overloaded and figures.schedule:
        return figures.schedule.throughput_halves
    return figures.halves


def _timeline(
    own: Sequence[_RoundFigures], figures: Mapping[str, Sequence[_RoundFigures]]
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


def _idle_core_share(run: RunRecord) -> float:
    """The largest share of a core that one idle stack used, over all blocks."""
    return max(
        (
            share
            for one in run.rounds
            for block in one.blocks
            for share in block.idle_core_share.values()
        ),
        default=0.0,
    )


def _harness_core_share(run: RunRecord) -> float:
    """The largest share of a core that the harness itself used while stacks had their turns."""
    return max(
        (
            block.roles["harness"].cpu_s / block.wall_s
            for one in run.rounds
            for block in one.blocks
            if "harness" in block.roles and block.wall_s
        ),
        default=0.0,
    )


# --------------------------------------------------------------------- comparisons


@dataclass(frozen=True, slots=True)
class _Draft:
    """A comparison before the words: verdicts need the whole family."""

    scenario: str
    load: str
    metric: str
    baseline: str
    candidate: str
    estimate: Estimate
    rounds: int
    more_is_better: bool
    valid: bool
    overloaded: bool  # a latency, and one of the two stacks could not keep up with the schedule
    is_step: bool  # of a ladder

    @property
    def comparable(self) -> bool:
        """Whether a verdict can follow from the interval."""
        return self.valid and not self.overloaded


def _compare(
    run: RunRecord,
    cell: CellPlan,
    baseline: str,
    candidate: str,
    figures: Mapping[str, Sequence[_RoundFigures]],
    pools: Mapping[str, _Pool],
    *,
    valid: bool,
    overloaded: bool,
) -> list[_Draft]:
    shared = {one.round for one in figures[baseline]} & {one.round for one in figures[candidate]}
    bases = [one for one in figures[baseline] if one.round in shared]
    others = [one for one in figures[candidate] if one.round in shared]

    def draft(metric: str, estimate: Estimate, *, more: bool = False) -> _Draft:
        return _Draft(
            scenario=cell.scenario.name,
            load=cell.load.label,
            metric=metric,
            baseline=baseline,
            candidate=candidate,
            estimate=estimate,
            rounds=len(shared),
            more_is_better=more,
            valid=valid and not math.isnan(estimate.value),
            overloaded=overloaded and metric.startswith("latency_"),
            is_step=(baseline, candidate) in cell.steps,
        )

    throughput = [
        other.throughput_rps / base.throughput_rps if base.throughput_rps > 0 else 0.0
        for other, base in zip(others, bases, strict=True)
    ]
    cpu = [
        other.cpu_us_per_request / base.cpu_us_per_request
        if base.cpu_us_per_request > 0
        else math.nan
        for other, base in zip(others, bases, strict=True)
    ]
    confidence = _confidence(run.plan)
    result = []
    if cell.has_throughput:
        result.append(draft("throughput_rps", stats.log_mean(throughput, confidence), more=True))
    base_pool, other_pool = (
        pools[label]
        if len(rounds) == len(figures[label])
        else _Pool([one.latency_ns for one in rounds], run.plan)
        for label, rounds in ((baseline, bases), (candidate, others))
    )
    result.extend(
        draft(f"latency_{name}_ms", other_pool.ratio(base_pool, name))
        for name in ("p50", "p99")
        # Where p99 is known of neither, it is left out, and not called invalid.
        if not cell.counts_starts or name in base_pool.supported & other_pool.supported
    )
    result.append(draft("cpu_us_per_request", stats.log_mean(cpu, confidence)))
    return result


def _band(metric: str, calibration: Calibration | None) -> float:
    """Half width of the band in which this machine can't tell A from A; at least 3 %."""
    floors = calibration.noise_floor if calibration else {}
    return max(stats.SMALLEST_BAND, floors.get(metric, 0.0))


def _confidence(plan: Plan) -> float:
    """Nominal confidence of the intervals, so that they hold the truth in 95 %."""
    return stats.CONFIDENCE if plan.precision is None else stats.STOPPED_CONFIDENCE


def _with_verdicts(drafts: Sequence[_Draft], run: RunRecord) -> tuple[Comparison, ...]:
    """Verdicts; all comparisons of one metric are a family, corrected for how many it has.

    The steps of the ladders are one of their own: they ask where a difference comes from, and
    whether there is one must not depend on whether that is asked.
    """
    calibration, confidence = run.calibration, _confidence(run.plan)
    significant: dict[int, bool] = {}
    for kin in {(draft.metric, draft.is_step) for draft in drafts}:
        family = [i for i, d in enumerate(drafts) if (d.metric, d.is_step) == kin and d.comparable]
        p_values = [stats.p_value(drafts[i].estimate, drafts[i].rounds, confidence) for i in family]
        for index, p_value in zip(family, stats.holm(p_values), strict=True):
            significant[index] = p_value < 1 - confidence
    return tuple(
        Comparison(
            scenario=d.scenario,
            load=d.load,
            metric=d.metric,
            baseline=d.baseline,
            candidate=d.candidate,
            ratio=d.estimate.value,
            ci_low=d.estimate.low,
            ci_high=d.estimate.high,
            rounds=d.rounds,
            noise_floor=_band(d.metric, calibration),
            verdict=stats.verdict(
                d.estimate,
                band=_band(d.metric, calibration),
                rounds=d.rounds,
                more_is_better=d.more_is_better,
                significant=significant[index],
            )
            if d.comparable
            else Verdict.OVERLOADED
            if d.valid
            else Verdict.INVALID,
        )
        for index, d in enumerate(drafts)
    )
