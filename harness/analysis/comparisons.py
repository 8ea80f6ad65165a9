"""Compares two stacks of a block: ratios with intervals, and verdicts corrected by family."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis import stats
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import Pool, confidence_of
from harness.models import (
    PROCESS_SPREAD,
    BlockPlan,
    Comparison,
    Contrast,
    Estimate,
    Family,
    Plan,
    RunRecord,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A comparison without its verdict, which depends on the other comparisons of its family."""

    scenario: str
    load: str
    metric: str
    baseline: str
    candidate: str
    estimate: Estimate  # candidate ÷ baseline
    rounds: int
    valid: bool
    overloaded: bool  # a latency, and one of the two stacks could not keep up with the schedule
    family: Family
    is_secondary: bool

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
    """Draft a comparison per metric, over the rounds in which both stacks were measured.

    Args:
        run: its plan decides the confidence of the intervals.
        block: the block that both stacks belong to.
        contrast: the two stacks.
        figures: stack -> figures of its rounds.
        pools: stack -> latencies of all of its rounds.
        valid: whether the cells of both stacks are valid.
        overloaded: whether one of the stacks could not keep up with the schedule of open load.
    """
    labels = contrast.baseline, contrast.candidate
    shared = set.intersection(
        *({measured.round for measured in figures[label]} for label in labels)
    )
    baseline, candidate = (
        [measured for measured in figures[label] if measured.round in shared] for label in labels
    )
    estimates: dict[str, Estimate] = {}
    if block.has_throughput:
        estimates["throughput_rps"] = _mean_ratio(
            [measured.throughput_rps for measured in candidate],
            [measured.throughput_rps for measured in baseline],
            run.plan,
        )
    estimates["latency_p50_ms"] = _mean_ratio(
        [measured.latency_p50_ns for measured in candidate],
        [measured.latency_p50_ns for measured in baseline],
        run.plan,
    )
    baseline_pool, candidate_pool = (
        pools[label]
        if len(rounds) == len(figures[label])
        else Pool([measured.latency_ns for measured in rounds])
        for label, rounds in zip(labels, (baseline, candidate), strict=True)
    )
    # If too few samples were measured for a p99 of both stacks, it is left out and not invalid.
    if "p99" in baseline_pool.supported & candidate_pool.supported:
        estimates["latency_p99_ms"] = candidate_pool.ratio(
            baseline_pool, "p99", confidence_of(run.plan, len(shared))
        )
    estimates["cpu_us_per_request"] = _mean_ratio(
        [measured.cpu_us_per_request for measured in candidate],
        [measured.cpu_us_per_request for measured in baseline],
        run.plan,
    )
    running = {stack.label for stack in run.plan.stacks if stack.is_running}
    kept = sum(label in running for label in labels)
    return [
        Draft(
            scenario=block.scenario.name,
            load=block.load.label,
            metric=metric,
            baseline=contrast.baseline,
            candidate=contrast.candidate,
            estimate=_for_kept_processes(
                estimate, kept, len(shared), confidence_of(run.plan, len(shared))
            ),
            rounds=len(shared),
            valid=valid and not math.isnan(estimate.value),
            overloaded=overloaded and metric.startswith("latency_"),
            family=contrast.family,
            is_secondary=metric != block.headline,
        )
        for metric, estimate in estimates.items()
    ]


def _for_kept_processes(estimate: Estimate, kept: int, rounds: int, confidence: float) -> Estimate:
    """The interval as wide as if the processes that rounds could not start afresh had been drawn once.

    Rounds with the same processes agree with each other better than they would with others. What they
    don't show is put in: one draw for each side that was kept, however many rounds there were.

    Args:
        estimate: of a ratio, over rounds.
        kept: how many of its two sides ran before the run began.
        rounds: that it comes from.
        confidence: of its interval.
    """
    if not kept or math.isnan(estimate.low):
        return estimate
    own = stats.t_quantile(rounds - 1, confidence) * PROCESS_SPREAD * math.sqrt(kept)
    below = math.hypot(math.log(estimate.value / estimate.low), own)
    above = math.hypot(math.log(estimate.high / estimate.value), own)
    return Estimate(
        estimate.value, estimate.value * math.exp(-below), estimate.value * math.exp(above)
    )


def with_verdicts(drafts: Sequence[Draft], run: RunRecord) -> tuple[Comparison, ...]:
    """Turn drafts into comparisons, in the same order.

    The headline metrics of a family are corrected together for how many they are. So are all of
    its other metrics, which do not weaken the headlines.
    """
    families: dict[tuple[Family, bool], list[Draft]] = defaultdict(list)
    for draft in drafts:
        families[draft.family, draft.is_secondary].append(draft)
    verdicts: dict[Draft, Verdict] = {}
    for members in families.values():
        verdicts |= _verdicts_of_family(members, run)
    return tuple(
        Comparison(
            scenario=draft.scenario,
            load=draft.load,
            metric=draft.metric,
            baseline=draft.baseline,
            candidate=draft.candidate,
            ratio=draft.estimate.value,
            ci_low=draft.estimate.low,
            ci_high=draft.estimate.high,
            rounds=draft.rounds,
            same_within=run.plan.same_within,
            verdict=verdicts[draft],
            family=draft.family,
            is_secondary=draft.is_secondary,
        )
        for draft in drafts
    )


def _verdicts_of_family(family: Sequence[Draft], run: RunRecord) -> dict[Draft, Verdict]:
    """The verdicts of comparisons whose p-values are corrected together (Holm)."""
    comparable = [draft for draft in family if draft.comparable]
    p_values = stats.holm([_p_value(draft, run.plan) for draft in comparable])
    verdicts = {draft: Verdict.OVERLOADED if draft.valid else Verdict.INVALID for draft in family}
    for draft, p_value in zip(comparable, p_values, strict=True):
        verdicts[draft] = stats.verdict(
            draft.estimate,
            band=run.plan.same_within,
            rounds=draft.rounds,
            more_is_better=draft.metric == "throughput_rps",
            significant=p_value < 1 - stats.CONFIDENCE,
        )
    return verdicts


def _p_value(draft: Draft, plan: Plan) -> float:
    """As small as a p-value of a run with a fixed number of rounds would have to be.

    Where stopping has raised the nominal confidence, which may be another for each block, a p-value
    has to be as much smaller.
    """
    confidence = confidence_of(plan, draft.rounds)
    p_value = stats.p_value(draft.estimate, draft.rounds, confidence)
    return min(1.0, p_value * (1 - stats.CONFIDENCE) / (1 - confidence))


def _mean_ratio(candidate: Sequence[float], baseline: Sequence[float], plan: Plan) -> Estimate:
    """Geometric mean of candidate ÷ baseline over rounds; NaN if a baseline is not above zero."""
    ratios = [
        numerator / denominator if denominator > 0 else math.nan
        for numerator, denominator in zip(candidate, baseline, strict=True)
    ]
    return stats.log_mean(ratios, confidence_of(plan, len(ratios)))
