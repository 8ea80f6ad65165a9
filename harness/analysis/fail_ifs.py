"""Promises between services: kept, broken or inconclusive, by the bound of an interval.

A promise is broken if the whole interval lies beyond its bound, and kept if the whole interval lies
on the right side. A run with several promises fails if one is broken, so that chance has several
tries: broken promises are corrected for how many ratios are judged (Holm). It passes only if all are
kept, for which each has to be; there chance has no further try, and nothing is corrected (R. L.
Berger, "Multiparameter hypothesis testing and acceptance sampling", 1982).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.special import betaincinv

from harness.analysis import stats
from harness.analysis.between import compare_runs
from harness.analysis.looks import looks_again
from harness.analysis.percentiles import confidence_of
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Analysis,
    BlockPlan,
    CellRound,
    CellSummary,
    Comparison,
    Estimate,
    FailIf,
    FailIfJudged,
    FailOutcome,
    FailSubject,
    Moved,
    Verdict,
)

#: One-sided: 2.5 % of the runs whose true ratio is the bound itself may call a promise broken.
ERROR = (1 - stats.CONFIDENCE) / 2


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A saved run that promises are judged against."""

    name: str
    analysis: Analysis | None  # None: it can't be read
    problem: str = ""  # why not


def judge(
    conditions: Sequence[FailIf], analysis: Analysis, saved: SavedRun | None = None
) -> tuple[FailIfJudged, ...]:
    """Judge every condition for every candidate, scenario and load.

    Args:
        conditions: Under which the run fails.
        analysis: Of the run.
        saved: What ratios are to; None: to the run's own baseline.
    """
    run = _Run(analysis, saved)
    drafts = [
        draft
        for condition in conditions
        for block in analysis.run.blocks
        if block.search is None
        for draft in _of_block(run, block, condition)
    ]
    ratios = [draft for draft in drafts if draft.judged.condition.is_ratio]
    adjusted = dict(
        zip(map(id, ratios), stats.holm([draft.p_value for draft in ratios]), strict=True)
    )
    return tuple(
        _not_by_chance(draft, adjusted[id(draft)], len(ratios))
        if id(draft) in adjusted
        else draft.judged
        for draft in drafts
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A condition as its own interval judges it."""

    judged: FailIfJudged
    p_value: float = 1.0  # one-sided, of the hypothesis that the ratio is at the bound


class _Run:
    """A run, and what is looked up in it again and again."""

    def __init__(self, analysis: Analysis, saved: SavedRun | None) -> None:
        self.analysis = analysis
        self.saved = saved
        self.cells: Mapping[tuple[str, str, str], CellSummary] = {
            (cell.scenario, cell.load, cell.stack): cell for cell in analysis.cells
        }
        self.comparisons: Mapping[tuple[str, str, str, str, str], Comparison] = {
            (made.scenario, made.load, made.baseline, made.candidate, made.metric): made
            for made in analysis.comparisons
        }
        self.moved: list[Moved] = []
        self.own: list[Moved] = []
        if saved is not None and saved.analysis is not None:
            compared = compare_runs(
                [(saved.name, saved.analysis), (analysis.run.run_id, analysis)],
                analysis.run.plan.same_within,
            )
            self.moved, self.own = list(compared.ratios), list(compared.figures)

    def cell(self, block: BlockPlan, stack: str) -> CellSummary | None:
        return self.cells.get((block.scenario.name, block.load.label, stack))

    def rounds_of(self, block: BlockPlan, stack: str) -> list[CellRound]:
        return [
            cell
            for finished in self.analysis.run.rounds
            for cell in finished.cells
            if cell.key == block.cell(stack)
        ]


def _of_block(run: _Run, block: BlockPlan, condition: FailIf) -> Iterator[_Draft]:
    """The condition for each candidate of a block."""
    if condition.subject is FailSubject.THROUGHPUT and not block.has_throughput:
        return  # a schedule fixes it; planning refuses a run in which nothing has any
    pairs: Sequence[tuple[str, str]] = block.pairs
    if not pairs and (run.saved is not None or not condition.is_ratio):
        pairs = [("", label) for label in block.stacks]
    if condition.subject is FailSubject.ERRORS:
        pairs = [("", label) for label in dict.fromkeys(candidate for _, candidate in pairs)]
    for baseline, candidate in pairs:
        blank = FailIfJudged(
            condition,
            block.scenario.name,
            block.load.label,
            candidate,
            baseline,
            FailOutcome.INCONCLUSIVE,
        )
        if condition.subject is FailSubject.ERRORS:
            yield _Draft(_errors(run, block, blank))
        elif condition.subject is FailSubject.PARITY:
            yield _Draft(_parity(run, block, blank))
        elif run.saved is not None:
            yield _beside_saved(run, run.saved, block, blank)
        else:
            yield _beside_baseline(run, block, blank)


# ------------------------------------------------------------------------------- ratios


def _beside_baseline(run: _Run, block: BlockPlan, blank: FailIfJudged) -> _Draft:
    """The ratio of candidate and baseline in the same run."""
    cells = [run.cell(block, stack) for stack in (blank.baseline, blank.candidate)]
    missing = [
        stack
        for stack, cell in zip((blank.baseline, blank.candidate), cells, strict=True)
        if cell is None
    ]
    if missing:
        return _Draft(
            replace(blank, reason=f"{' and '.join(missing)} was not measured", is_open=True)
        )
    made = run.comparisons.get(
        (blank.scenario, blank.load, blank.baseline, blank.candidate, blank.condition.metric)
    )
    if made is None:
        return _Draft(
            replace(blank, reason=f"too few requests for a {blank.condition.subject}", is_open=True)
        )
    figure = Estimate(made.ratio, made.ci_low, made.ci_high)
    judged = replace(blank, figure=figure, rounds=made.rounds)
    if made.verdict is Verdict.OVERLOADED:
        return _Draft(_overloaded(judged, [cell for cell in cells if cell is not None]))
    if made.verdict is Verdict.INVALID:
        invalid = [f"{cell.stack}: {cell.reason}" for cell in cells if cell and not cell.valid]
        if math.isnan(made.ratio):
            reason = "; ".join(invalid) or "one of the two has no figure"
            return _Draft(replace(blank, rounds=made.rounds, reason=reason))
        reason = f"invalid ({'; '.join(invalid)})"
        return _Draft(replace(judged, reason=reason, is_open=True))
    confidence = confidence_of(run.analysis.run.plan, made.rounds)
    p_value = stats.p_value(_scaled(figure, blank.condition.bound), made.rounds, confidence) / 2
    # As small as it would have to be with one look, which has all of the error to itself.
    return _by_interval(judged, p_value * 2 * ERROR / (1 - confidence))


def _overloaded(judged: FailIfJudged, cells: Sequence[CellSummary]) -> FailIfJudged:
    """Latency under open load that one of the two stacks could not keep up with."""
    late = [cell.stack for cell in cells if cell.overloaded]
    reason = f"{' and '.join(late)} could not keep up with the rate"
    if late == [judged.candidate]:
        return replace(judged, outcome=FailOutcome.BROKEN, figure=None, reason=reason)
    return replace(judged, figure=None, reason=reason)


def _beside_saved(run: _Run, saved: SavedRun, block: BlockPlan, blank: FailIfJudged) -> _Draft:
    """The candidate beside itself in a saved run: by way of the baseline where both runs have it."""
    blank = replace(blank, against=saved.name)
    if saved.analysis is None:
        return _Draft(replace(blank, reason=saved.problem))
    ratio = _moved(run.moved, block, blank)
    own = _moved(run.own, block, replace(blank, baseline=""))
    comparable = [each for each in (ratio, own) if each is not None and not each.reason]
    if not comparable:
        reasons = [each.reason for each in (ratio, own) if each is not None and each.reason]
        # A metric that does not decide a block has no row where nothing of the block compares.
        reasons = reasons or _reasons(run, block, blank)
        reason = "; ".join(dict.fromkeys(reasons)) or f"{saved.name} has no such figure"
        return _Draft(replace(blank, reason=reason))
    moved = comparable[0]
    if saved.analysis.run.run_id == run.analysis.run.run_id:  # there is nothing that could differ
        beside_itself = replace(
            blank, baseline=moved.baseline, figure=moved.quotient, rounds=moved.rounds
        )
        return _by_interval(beside_itself, 1.0)
    assert moved.later is not None
    assert moved.earlier is not None
    # The saved run's rounds are the same at every look, but a look decides by both: it needs its own
    # share of the error as any other.
    plan, of_each = run.analysis.run.plan, moved.rounds_of_each
    confidence = confidence_of(plan, of_each[0]) if looks_again(plan) else stats.CONFIDENCE
    figure = stats.quotient(moved.later, moved.earlier, of_each, confidence).estimate
    judged = replace(blank, baseline=moved.baseline, figure=figure, rounds=moved.rounds)
    if moved.rounds < ROUNDS_FOR_A_VERDICT <= of_each[0]:
        reason = f"{saved.name} has {moved.rounds} of {ROUNDS_FOR_A_VERDICT} rounds"
        return _Draft(replace(judged, reason=reason))
    scaled = _scaled(moved.later, blank.condition.bound)
    p_value = stats.quotient(scaled, moved.earlier, of_each, confidence).p_value / 2
    return _by_interval(judged, p_value * 2 * ERROR / (1 - confidence))


def _moved(rows: Sequence[Moved], block: BlockPlan, blank: FailIfJudged) -> Moved | None:
    wanted = (block.key, blank.condition.metric, blank.candidate, blank.baseline)
    return next(
        (each for each in rows if (each.block, each.metric, each.stack, each.baseline) == wanted),
        None,
    )


def _reasons(run: _Run, block: BlockPlan, blank: FailIfJudged) -> list[str]:
    """Why no figure of the candidate in this block can be compared."""
    return [
        each.reason
        for each in (*run.moved, *run.own)
        if each.block == block.key and each.stack == blank.candidate and each.reason
    ]


def _by_interval(judged: FailIfJudged, p_value: float) -> _Draft:
    """Decide by the bound of the interval."""
    figure, condition = judged.figure, judged.condition
    assert figure is not None
    if judged.rounds >= ROUNDS_FOR_A_VERDICT and math.isnan(figure.low):
        return _Draft(replace(judged, reason="there is no interval", is_open=True))
    if judged.rounds < ROUNDS_FOR_A_VERDICT:
        reason = f"{judged.rounds} of {ROUNDS_FOR_A_VERDICT} rounds"
        return _Draft(replace(judged, reason=reason, is_open=True))
    outcome = _side(condition, figure)
    if outcome is FailOutcome.INCONCLUSIVE:
        reason = "the interval crosses the bound"
        return _Draft(replace(judged, reason=reason, is_open=True))
    return _Draft(
        replace(judged, outcome=outcome), p_value if outcome is FailOutcome.BROKEN else 1.0
    )


def _side(condition: FailIf, figure: Estimate) -> FailOutcome:
    """On which side of the bound the whole interval lies."""
    if condition.fails_below:
        broken, kept = figure.high < condition.bound, figure.low >= condition.bound
    else:
        broken, kept = figure.low > condition.bound, figure.high <= condition.bound
    if broken:
        return FailOutcome.BROKEN
    return FailOutcome.KEPT if kept else FailOutcome.INCONCLUSIVE


def _not_by_chance(draft: _Draft, p_value: float, family: int) -> FailIfJudged:
    """A broken promise stays one if the correction for all ratios leaves it."""
    if draft.judged.outcome is not FailOutcome.BROKEN or draft.judged.figure is None:
        return draft.judged
    if p_value <= ERROR or family == 1:
        return draft.judged
    return replace(
        draft.judged,
        outcome=FailOutcome.INCONCLUSIVE,
        reason=f"the interval lies beyond the bound, but among {family} ratios one may by chance",
        is_open=True,
    )


def _scaled(figure: Estimate, bound: float) -> Estimate:
    """In units of the bound, so that what is tested against 1 is tested against the bound."""
    return Estimate(figure.value / bound, figure.low / bound, figure.high / bound)


# ---------------------------------------------------------------- errors and differences


def _errors(run: _Run, block: BlockPlan, blank: FailIfJudged) -> FailIfJudged:
    """Failed requests of the candidate; every one counts, whatever else is wrong with the cell."""
    rounds = run.rounds_of(block, blank.candidate)
    requests, failed = sum(cell.requests for cell in rounds), sum(cell.errors for cell in rounds)
    if not requests:
        return replace(blank, reason=f"{blank.candidate} was not measured", is_open=True)
    confidence = confidence_of(run.analysis.run.plan, len(rounds))
    found = replace(blank, rounds=len(rounds), figure=_share(rounds, confidence))
    condition = blank.condition
    said = f"{failed:,} of {requests:,} requests failed"
    if not condition.is_share:
        outcome = FailOutcome.BROKEN if failed > condition.bound else FailOutcome.KEPT
        return replace(found, outcome=outcome, reason=said if failed else "")
    if failed and len(rounds) < 2:
        reason = f"{said}: one round can't tell whether they fail in bunches"
        return replace(found, reason=reason, is_open=True)
    assert found.figure is not None
    outcome = _side(condition, found.figure)
    if outcome is FailOutcome.INCONCLUSIVE:
        reason = f"{said}: the interval crosses the bound"
        return replace(found, reason=reason, is_open=True)
    return replace(found, outcome=outcome, reason=said if failed else "")


def _share(rounds: Sequence[CellRound], confidence: float) -> Estimate:
    """The share of failed requests, with the wider of two intervals on each side.

    Clopper's and Pearson's, as if requests failed independently of each other; and Student's t over
    the shares of the rounds, since they often fail in bunches.
    """
    requests, failed = sum(cell.requests for cell in rounds), sum(cell.errors for cell in rounds)
    error, good = (1 - confidence) / 2, requests - failed
    low = float(betaincinv(failed, good + 1, error)) if failed else 0.0
    high = float(betaincinv(failed + 1, good, 1 - error)) if good else 1.0
    share = failed / requests
    shares = [cell.errors / cell.requests for cell in rounds if cell.requests]
    half = stats.half_width(shares, confidence)
    if math.isfinite(half):
        low, high = max(0.0, min(low, share - half)), min(1.0, max(high, share + half))
    return Estimate(share, low, high)


def _parity(run: _Run, block: BlockPlan, blank: FailIfJudged) -> FailIfJudged:
    """Any difference that was found between replies, of either of the two."""
    stacks = [stack for stack in (blank.baseline, blank.candidate) if stack]
    rounds = {stack: run.rounds_of(block, stack) for stack in stacks}
    found = replace(blank, rounds=min(map(len, rounds.values())))
    if not found.rounds:
        return replace(found, reason="no round was measured", is_open=True)
    if block.scenario.locustfile:
        return replace(found, reason="replies to the users of a locustfile are not compared")
    differences = dict.fromkeys(
        f"{stack}: {text}"
        for stack in stacks
        for cell in rounds[stack]
        for text in (*cell.parity, *cell.differences)
    )
    if not differences:
        return replace(found, outcome=FailOutcome.KEPT)
    first, more = next(iter(differences)), len(differences) - 1
    also = f" (and {more} more)" if more else ""
    return replace(found, outcome=FailOutcome.BROKEN, reason=f"{first}{also}")
