"""Two stacks of a block beside each other: ratios with intervals, and verdicts over families."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis import stats
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import Pool, confidence_of
from harness.models import (
    BlockPlan,
    Calibration,
    Comparison,
    Contrast,
    Estimate,
    Family,
    RunRecord,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Draft:
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
    family: Family

    @property
    def comparable(self) -> bool:
        """Whether a verdict can follow from the interval."""
        return self.valid and not self.overloaded


def compare(
    run: RunRecord,
    block: BlockPlan,
    contrast: Contrast,
    figures: Mapping[str, Sequence[RoundFigures]],
    pools: Mapping[str, Pool],
    *,
    valid: bool,
    overloaded: bool,
) -> list[Draft]:
    """A draft for each metric of a contrast, over the rounds in which both stacks were measured."""
    baseline, candidate = contrast.baseline, contrast.candidate
    shared = {one.round for one in figures[baseline]} & {one.round for one in figures[candidate]}
    bases = [one for one in figures[baseline] if one.round in shared]
    others = [one for one in figures[candidate] if one.round in shared]

    def draft(metric: str, estimate: Estimate, *, more: bool = False) -> Draft:
        return Draft(
            scenario=block.scenario.name,
            load=block.load.label,
            metric=metric,
            baseline=baseline,
            candidate=candidate,
            estimate=estimate,
            rounds=len(shared),
            more_is_better=more,
            valid=valid and not math.isnan(estimate.value),
            overloaded=overloaded and metric.startswith("latency_"),
            family=contrast.family,
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
    confidence = confidence_of(run.plan)
    result = []
    if block.has_throughput:
        result.append(draft("throughput_rps", stats.log_mean(throughput, confidence), more=True))
    base_pool, other_pool = (
        pools[label]
        if len(rounds) == len(figures[label])
        else Pool([one.latency_ns for one in rounds], run.plan)
        for label, rounds in ((baseline, bases), (candidate, others))
    )
    result.extend(
        draft(f"latency_{name}_ms", other_pool.ratio(base_pool, name))
        for name in ("p50", "p99")
        # Where p99 is known of neither, it is left out, and not called invalid.
        if not block.counts_starts or name in base_pool.supported & other_pool.supported
    )
    result.append(draft("cpu_us_per_request", stats.log_mean(cpu, confidence)))
    return result


def band(metric: str, calibration: Calibration | None) -> float:
    """Half width of the band in which this machine can't tell A from A; at least 3 %."""
    floors = calibration.noise_floor if calibration else {}
    return max(stats.SMALLEST_BAND, floors.get(metric, 0.0))


def with_verdicts(drafts: Sequence[Draft], run: RunRecord) -> tuple[Comparison, ...]:
    """Verdicts; the comparisons of one metric and family are corrected for how many they are."""
    calibration, confidence = run.calibration, confidence_of(run.plan)
    significant: dict[int, bool] = {}
    for together in {(draft.metric, draft.family) for draft in drafts}:
        members = [
            index
            for index, draft in enumerate(drafts)
            if (draft.metric, draft.family) == together and draft.comparable
        ]
        p_values = [
            stats.p_value(drafts[index].estimate, drafts[index].rounds, confidence)
            for index in members
        ]
        for index, p_value in zip(members, stats.holm(p_values), strict=True):
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
            noise_floor=band(d.metric, calibration),
            verdict=stats.verdict(
                d.estimate,
                band=band(d.metric, calibration),
                rounds=d.rounds,
                more_is_better=d.more_is_better,
                significant=significant[index],
            )
            if d.comparable
            else Verdict.OVERLOADED
            if d.valid
            else Verdict.INVALID,
            family=d.family,
        )
        for index, d in enumerate(drafts)
    )
