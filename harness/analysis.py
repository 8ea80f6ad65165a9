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
    CellPlan,
    CellRound,
    CellSummary,
    Comparison,
    Estimate,
    GateResult,
    RunRecord,
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
_MIB = 1 << 20


class Samples(Protocol):
    """One cell's samples of one round, as store.Samples has them."""

    @property
    def slice(self) -> npt.NDArray[np.int32]:
        """Which slice a request belongs to."""

    @property
    def start_ns(self) -> npt.NDArray[np.int64]:
        """When it was sent."""

    @property
    def latency_ns(self) -> npt.NDArray[np.int64]:
        """How long it took."""

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Whether the reply was the promised one."""


@dataclass(frozen=True, slots=True)
class _RoundFigures:
    """One cell in one round, boiled down."""

    round: int
    throughput_rps: float
    halves: float  # second ÷ first half
    in_flight: float
    failed: int
    latency_ns: npt.NDArray[np.int64]  # of good replies that were sent inside a window
    slice_rps: npt.NDArray[np.float64]
    cpu_us_per_request: float
    cell: CellRound


def analyse(
    run: RunRecord,
    read_samples: Callable[[CellRound], Samples],
    *,
    noise_floor: float = 0.0,
) -> Analysis:
    """Summaries, gates, comparisons and verdicts of a run, whole or cut off.

    Args:
        run: plan and journal.
        read_samples: gives the samples of a cell and round.
        noise_floor: what this machine was found to do between A and A; at least 3 % is used.
    """
    band = max(stats.SMALLEST_BAND, noise_floor)
    stacks = {stack.label: stack for stack in run.plan.stacks}
    summaries: list[CellSummary] = []
    drafts: list[_Draft] = []
    for cell in run.plan.cells:
        figures = {
            label: [
                _round_figures(measured, read_samples(measured))
                for measured in _measured(run, cell.scenario.name, label)
            ]
            for label in cell.stacks
        }
        here = [
            _summarise(run, cell, stacks[label], figures) for label in cell.stacks if figures[label]
        ]
        summaries.extend(here)
        valid = {summary.stack: summary.valid for summary in here}
        baseline, *candidates = cell.stacks
        for candidate in candidates:
            if figures[baseline] and figures[candidate]:
                both_valid = valid[baseline] and valid[candidate]
                drafts.extend(_compare(run, cell, baseline, candidate, figures, valid=both_valid))
    return Analysis(
        run=run,
        cells=tuple(summaries),
        comparisons=_with_verdicts(drafts, band),
        noise_floor=band,
        idle_core_share=_idle_core_share(run),
    )


def _measured(run: RunRecord, scenario: str, stack: str) -> list[CellRound]:
    return [
        cell
        for one in run.rounds
        for cell in one.cells
        if cell.scenario == scenario and cell.stack == stack
    ]


def _round_figures(cell: CellRound, samples: Samples) -> _RoundFigures:
    from_ns = np.array([piece.from_ns for piece in cell.slices], dtype=np.int64)
    to_ns = np.array([piece.to_ns for piece in cell.slices], dtype=np.int64)
    rates = stats.slice_rates(
        samples.slice, samples.start_ns, samples.latency_ns, samples.good, from_ns, to_ns
    )
    window_s = (to_ns - from_ns) / 1e9
    counted = (samples.start_ns >= from_ns[samples.slice]) & (
        samples.start_ns < to_ns[samples.slice]
    )
    middle = len(from_ns) // 2
    first = float(rates.throughput_rps[:middle].mean()) if middle else math.nan
    second = float(rates.throughput_rps[len(from_ns) - middle :].mean()) if middle else math.nan
    return _RoundFigures(
        round=cell.round,
        throughput_rps=float(np.average(rates.throughput_rps, weights=window_s)),
        halves=second / first if middle and first > 0 else 1.0,
        in_flight=float(np.average(rates.in_flight, weights=window_s)),
        failed=int((~samples.good).sum()),
        latency_ns=samples.latency_ns[counted & samples.good],
        slice_rps=rates.throughput_rps,
        cpu_us_per_request=cell.server.cpu_s / cell.requests * 1e6
        if cell.requests and not cell.died
        else math.nan,
        cell=cell,
    )


# ------------------------------------------------------------------------ one cell


def _summarise(
    run: RunRecord,
    cell: CellPlan,
    stack: Stack,
    figures: Mapping[str, Sequence[_RoundFigures]],
) -> CellSummary:
    own = figures[stack.label]
    others = [one for label, rounds in figures.items() if label != stack.label for one in rounds]
    curve_quantiles = _supported(CURVE, sum(len(one.latency_ns) for one in own))
    latency = _latency(own, [*QUANTILES.values(), *curve_quantiles], run.plan.seed)
    return CellSummary(
        scenario=cell.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=cell.load.label,
        rounds=len(own),
        requests=sum(one.cell.requests for one in own),
        errors=sum(one.failed for one in own),
        throughput_rps=stats.log_mean([one.throughput_rps for one in own]),
        latency_ms=dict(zip(QUANTILES, latency, strict=False)),
        cpu_us_per_request=stats.log_mean([one.cpu_us_per_request for one in own]),
        pss_mib=max(one.cell.server.pss_bytes for one in own) / _MIB,
        gates=_gates(run, cell, own, others),
        latency_curve_ms=tuple(
            (quantile, estimate.value)
            for quantile, estimate in zip(curve_quantiles, latency[len(QUANTILES) :], strict=True)
        ),
        timeline=_timeline(own, figures),
    )


def _supported(quantiles: Sequence[float], samples: int) -> list[float]:
    """Those quantiles beyond which enough samples lie."""
    return [quantile for quantile in quantiles if samples * (1 - quantile) >= SAMPLES_BEYOND]


def _latency(
    figures: Sequence[_RoundFigures], quantiles: Sequence[float], seed: int
) -> list[Estimate]:
    """Percentiles of the pooled samples in ms, whole rounds resampled for the interval."""
    rounds = [one.latency_ns for one in figures]
    pooled = np.concatenate(rounds)
    if not len(pooled):
        return [Estimate(math.nan, math.nan, math.nan)] * len(quantiles)
    values = np.quantile(pooled, quantiles) / 1e6
    resampled = _resampled(rounds, quantiles, seed)
    return [
        stats.resampling_interval(float(value), resampled[:, column], len(rounds))
        for column, value in enumerate(values)
    ]


def _resampled(
    rounds: Sequence[npt.NDArray[np.int64]], quantiles: Sequence[float], seed: int
) -> npt.NDArray[np.float64]:
    """Percentiles in ns of each resample; the same seed draws the same rounds for every stack."""
    weights = stats.bootstrap_weights(len(rounds), RESAMPLES, seed)
    return stats.LatencyHistogram(rounds).resampled(weights, quantiles)


def _gates(
    run: RunRecord,
    cell: CellPlan,
    figures: Sequence[_RoundFigures],
    others: Sequence[_RoundFigures],
) -> tuple[GateResult, ...]:
    examples = [example for one in figures for example in one.cell.error_examples]
    wall_s = sum(one.cell.wall_s for one in figures)
    load_cpu_s = sum(one.cell.load_cpu_s for one in figures)
    services_cpu_s = sum(one.cell.postgres_cpu_s + one.cell.upstream_cpu_s for one in figures)
    result = [
        gates.errors(
            sum(one.cell.requests for one in figures),
            sum(one.failed for one in figures),
            examples[0] if examples else "",
        ),
        gates.alive([one.cell.died for one in figures if one.cell.died]),
        gates.load_busy(load_cpu_s, wall_s),
        gates.little(cell.load.users, float(np.mean([one.in_flight for one in figures]))),
        gates.settled(_halves_beside_others(figures, others)),
        gates.possible(
            float(np.mean([one.throughput_rps for one in figures])),
            sum(one.cell.server.cpu_s for one in figures)
            / max(1, sum(one.cell.requests for one in figures)),
            len(run.placement.servers),
        ),
        gates.rounds(len(figures)),
    ]
    cores = set(run.placement.services)
    if cores:
        shared_with_load = bool(cores & set(run.placement.load))
        busy_s = services_cpu_s + (load_cpu_s if shared_with_load else 0.0)
        result.append(gates.service_cores_busy(busy_s, wall_s, len(cores)))
    return tuple(result)


def _halves_beside_others(
    own: Sequence[_RoundFigures], others: Sequence[_RoundFigures]
) -> list[float]:
    """Per round: second ÷ first half, divided by the geometric mean of the other stacks'."""
    result = []
    for one in own:
        beside = [other.halves for other in others if other.round == one.round]
        drift = stats.log_mean(beside).value if beside else 1.0
        result.append(one.halves / drift if drift > 0 else one.halves)
    return result


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


def _compare(
    run: RunRecord,
    cell: CellPlan,
    baseline: str,
    candidate: str,
    figures: Mapping[str, Sequence[_RoundFigures]],
    *,
    valid: bool,
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
    result = [draft("throughput_rps", stats.log_mean(throughput), more=True)]
    names = ["p50", "p99"]
    ratios = _latency_ratios(bases, others, [QUANTILES[name] for name in names], run.plan.seed)
    result.extend(
        draft(f"latency_{name}_ms", estimate) for name, estimate in zip(names, ratios, strict=True)
    )
    result.append(draft("cpu_us_per_request", stats.log_mean(cpu)))
    return result


def _latency_ratios(
    bases: Sequence[_RoundFigures],
    others: Sequence[_RoundFigures],
    quantiles: Sequence[float],
    seed: int,
) -> list[Estimate]:
    """Ratios of pooled percentiles; both sides resample the same rounds."""
    base_rounds = [one.latency_ns for one in bases]
    other_rounds = [one.latency_ns for one in others]
    if not any(map(len, base_rounds)) or not any(map(len, other_rounds)):
        return [Estimate(math.nan, math.nan, math.nan)] * len(quantiles)
    values = np.quantile(np.concatenate(other_rounds), quantiles) / np.quantile(
        np.concatenate(base_rounds), quantiles
    )
    resampled = _resampled(other_rounds, quantiles, seed) / _resampled(base_rounds, quantiles, seed)
    return [
        stats.resampling_interval(float(value), resampled[:, column], len(base_rounds))
        for column, value in enumerate(values)
    ]


def _with_verdicts(drafts: Sequence[_Draft], band: float) -> tuple[Comparison, ...]:
    """Verdicts; all comparisons of one metric are a family, corrected for how many it has."""
    significant: dict[int, bool] = {}
    for metric in {draft.metric for draft in drafts}:
        family = [i for i, d in enumerate(drafts) if d.metric == metric and d.valid]
        p_values = [stats.p_value(drafts[i].estimate, drafts[i].rounds) for i in family]
        for index, p_value in zip(family, stats.holm(p_values), strict=True):
            significant[index] = p_value < 1 - stats.CONFIDENCE
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
            noise_floor=band,
            verdict=stats.verdict(
                d.estimate,
                band=band,
                rounds=d.rounds,
                more_is_better=d.more_is_better,
                significant=significant[index],
            )
            if d.valid
            else Verdict.INVALID,
        )
        for index, d in enumerate(drafts)
    )
