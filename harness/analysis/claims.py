"""What measured data say to the claims of the ledger: a strategy for each kind of test.

Verdicts come from intervals, never from points. What can't be used (an invalid cell, too few rounds)
leaves a claim inconclusive, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis import stats
from harness.analysis.code_lines import lines_of
from harness.analysis.pairs import (
    cells_of,
    inverse,
    left_idle,
    quotient,
    shared_rounds,
    stack_pair,
    usual_block,
    why_unusable,
)
from harness.analysis.percentiles import confidence_of
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Analysis,
    Beyond,
    BlockKey,
    Capacity,
    Claim,
    ClaimKind,
    ClaimResult,
    ClaimTest,
    ClaimVerdict,
    ConnectionsAnalysis,
    Curve,
    Estimate,
    HeldMemory,
    HeldSeries,
    JudgedClaim,
    Verdict,
    worker_number,
)

#: Path of a Python file of the applications -> its text.
Sources = Mapping[str, str]

CROSSES = "the interval crosses a bound"
#: A claim is as its tests are; the first of these that one of them has decides.
_ORDER = (
    ClaimVerdict.FAILS,
    ClaimVerdict.NOT_MEASURED,
    ClaimVerdict.INCONCLUSIVE,
    ClaimVerdict.HOLDS,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tests are asked of: a run, one with held connections, or the applications' code."""

    of: Analysis | ConnectionsAnalysis | Sources
    name: str = ""  # of the run


@dataclass(frozen=True, slots=True)
class _Found:
    """What a test found in a run."""

    figure: Estimate | None
    unusable: str = ""  # why no verdict can follow from it
    rounds: int = ROUNDS_FOR_A_VERDICT  # that it is based on
    #: Where a figure is only a bound of what it is about: the limits that a verdict comes from.
    limits: Estimate | None = None
    caution: str = ""  # why these differ from the interval
    verdict: ClaimVerdict | None = None  # of kinds without a bound


def judge(claims: Sequence[Claim], evidence: Sequence[Evidence]) -> tuple[JudgedClaim, ...]:
    """Say of each claim what the evidence says to it.

    Each test is asked of all evidence in turn. The first from which a verdict can follow counts,
    whatever it is; without such, the first that has anything about the test.

    Args:
        claims: the ledger.
        evidence: runs, the newest first, and the code if it is to be counted.
    """
    return tuple(_judged(claim, evidence) for claim in claims)


def _judged(claim: Claim, evidence: Sequence[Evidence]) -> JudgedClaim:
    tested = tuple(_tested(test, evidence) for test in claim.tests)
    verdicts = {each.verdict for each in tested}
    return JudgedClaim(claim, next(each for each in _ORDER if each in verdicts), tested)


def _tested(test: ClaimTest, evidence: Sequence[Evidence]) -> ClaimResult:
    found = [(each.name, made) for each in evidence if (made := _asked(test, each.of)) is not None]
    if not found:
        return ClaimResult(test, ClaimVerdict.NOT_MEASURED)
    usable = [(name, made) for name, made in found if not _problem(made)]
    name, made = (usable or found)[0]
    if problem := _problem(made):
        return ClaimResult(test, ClaimVerdict.INCONCLUSIVE, made.figure, problem, name)
    verdict, reason = _decided(test, made)
    return ClaimResult(test, verdict, made.figure, reason, name)


def _decided(test: ClaimTest, made: _Found) -> tuple[ClaimVerdict, str]:
    """The verdict of a figure without a problem, and why it is not a plainer one."""
    assert made.figure is not None  # or there would be a problem
    if made.verdict:
        return made.verdict, made.caution
    verdict = verdict_within(test, made.limits or made.figure)
    if verdict is not ClaimVerdict.INCONCLUSIVE:
        return verdict, ""
    is_open = verdict_within(test, made.figure) is ClaimVerdict.INCONCLUSIVE
    return verdict, CROSSES if is_open else made.caution


def _asked(test: ClaimTest, of: Analysis | ConnectionsAnalysis | Sources) -> _Found | None:
    """What a run has about a test; None if nothing."""
    match of:
        case Analysis() if test.kind in OF_RUNS:
            return OF_RUNS[test.kind](test, of)
        case ConnectionsAnalysis() if test.kind in OF_CONNECTIONS:
            return OF_CONNECTIONS[test.kind](test, of)
        case Mapping() if test.kind in OF_CODE:
            return OF_CODE[test.kind](test, of)
    return None


def _problem(found: _Found) -> str:
    """Why no verdict can follow; empty if one can."""
    if found.unusable:
        return found.unusable
    if found.rounds < ROUNDS_FOR_A_VERDICT:
        return f"{found.rounds} of {ROUNDS_FOR_A_VERDICT} rounds that a verdict needs"
    if found.figure is None or math.isnan(found.figure.value):
        return "too little was measured"
    if math.isnan(found.figure.low) or math.isnan(found.figure.high):
        return "the figure has no interval"
    return ""


def verdict_within(test: ClaimTest, limits: Estimate) -> ClaimVerdict:
    """Whether an interval lies between a test's bounds, beyond one of them, or across one."""
    least = -math.inf if test.at_least is None else test.at_least
    most = math.inf if test.at_most is None else test.at_most
    if least <= limits.low and limits.high <= most:
        return ClaimVerdict.HOLDS
    if limits.high < least or most < limits.low:
        return ClaimVerdict.FAILS
    return ClaimVerdict.INCONCLUSIVE


# ---------------------------------------------------------------- ratios of two stacks


def _ratio(test: ClaimTest, analysis: Analysis) -> _Found | None:
    block = usual_block(analysis, test.scenario)
    if block is None:
        return None
    pair = stack_pair(analysis, block, test.metric, test.baseline, test.candidate)
    if pair is None:
        return None
    limits, caution = None, ""
    if test.metric == "throughput_rps":
        limits, caution = _as_users_allow(analysis, block, test, pair.estimate)
    return _Found(
        pair.estimate, why_unusable(analysis, block, pair.comparisons), pair.rounds, limits, caution
    )


def _as_users_allow(
    analysis: Analysis, block: BlockKey, test: ClaimTest, ratio: Estimate
) -> tuple[Estimate | None, str]:
    """The limits where users left a stack idle, which could so serve more than it did."""
    idle = left_idle(analysis, block, (test.candidate, test.baseline))
    if not idle:
        return None, ""
    return _one_sided(ratio, test, idle), f"users left {_listed(idle)} idle, which could serve more"


def _one_sided(ratio: Estimate, test: ClaimTest, more: Collection[str]) -> Estimate:
    """The limits of a ratio if these stacks may serve more than was measured."""
    return Estimate(
        ratio.value,
        0.0 if test.baseline in more else ratio.low,
        math.inf if test.candidate in more else ratio.high,
    )


def _listed(stacks: Collection[str]) -> str:
    return " and ".join(sorted(stacks))


def _larger_effect(test: ClaimTest, analysis: Analysis) -> _Found | None:
    """By how much one change moves a metric ÷ by how much another does, whichever way."""
    block = usual_block(analysis, test.scenario)
    if block is None:
        return None
    own = stack_pair(analysis, block, test.metric, test.baseline, test.candidate)
    beside = stack_pair(analysis, block, test.metric, test.beside_baseline, test.beside_candidate)
    if own is None or beside is None:
        return None
    figure = quotient(_effect(own.estimate), _effect(beside.estimate))
    unusable = [why_unusable(analysis, block, each.comparisons) for each in (own, beside)]
    return _Found(figure, next(filter(None, unusable), ""), min(own.rounds, beside.rounds))


def _effect(ratio: Estimate) -> Estimate:
    """A ratio, or its inverse where that is above 1: 3 of both 3 × and ⅓ ×."""
    if ratio.value < 1:
        ratio = inverse(ratio)
    if ratio.low >= 1:
        return ratio
    return Estimate(ratio.value, 1.0, max(ratio.high, 1 / ratio.low))


def _neither_better(test: ClaimTest, analysis: Analysis) -> _Found | None:
    """Whether each stack is better in something, or no difference matters in anything.

    A stack is strictly better if it is better in a metric and the same in all others. The verdicts
    of the comparisons decide, which are corrected for how many they are.
    """
    block = usual_block(analysis, test.scenario)
    made = [
        each
        for each in analysis.comparisons
        if each.block == block
        and {each.baseline, each.candidate} == {test.baseline, test.candidate}
    ]
    if block is None or not made:
        return None
    first = made[0]
    pair = stack_pair(analysis, block, first.metric, test.baseline, test.candidate)
    assert pair is not None  # it is one of these
    rounds = min(each.rounds for each in made)
    unusable = why_unusable(analysis, block, made)
    verdicts = {each.verdict for each in made}
    verdict, reason = ClaimVerdict.INCONCLUSIVE, "some metrics are inconclusive"
    if {Verdict.FASTER, Verdict.SLOWER} <= verdicts:
        verdict, reason = ClaimVerdict.HOLDS, "each is better in something"
    elif verdicts == {Verdict.SAME}:
        verdict, reason = ClaimVerdict.HOLDS, "no difference is large enough to matter"
    elif Verdict.INCONCLUSIVE not in verdicts:
        better = first.candidate if Verdict.FASTER in verdicts else first.baseline
        verdict, reason = ClaimVerdict.FAILS, f"{better} is nowhere worse"
    return _Found(pair.estimate, unusable, rounds, caution=reason, verdict=verdict)


# ------------------------------------------------------------------------------ curves


def _curve(analysis: Analysis, test: ClaimTest, line: str) -> Curve | None:
    """The curve of a stack; of several, the one with most points."""
    fitting = [
        curve
        for curve in analysis.curves
        if (curve.scenario, curve.axis, curve.line) == (test.scenario, test.axis, line)
    ]
    return max(fitting, key=lambda curve: len(curve.points), default=None)


def _most(test: ClaimTest, analysis: Analysis) -> _Found | None:
    """The largest throughputs of two stacks, each at its own best load."""
    curves = [_curve(analysis, test, line) for line in (test.candidate, test.baseline)]
    candidate, baseline = curves
    if candidate is None or baseline is None:
        return None
    if candidate.most is None or baseline.most is None:
        lines = [curve.line for curve in (candidate, baseline) if curve.most is None]
        return _Found(None, f"no load of {' and '.join(lines)} is valid")
    figure = quotient(candidate.most.throughput_rps, baseline.most.throughput_rps)
    rising = {
        curve.line
        for curve in (candidate, baseline)
        if curve.largest is not None and curve.largest.outcome is Beyond.RISES
    }
    return _Found(
        figure,
        rounds=min(candidate.most.rounds, baseline.most.rounds),
        limits=_one_sided(figure, test, rising) if rising else None,
        caution=f"more users may raise the most of {_listed(rising)} further" if rising else "",
    )


def _largest_load(test: ClaimTest, analysis: Analysis) -> _Found | None:
    curve = _curve(analysis, test, test.candidate)
    if curve is None:
        return None
    asked = worker_number(test.at, len(analysis.run.placement.servers))
    last = curve.points[-1]
    if last.value != asked:
        return None
    if not last.valid:
        return _Found(None, f"{test.candidate} is invalid at {asked:,}")
    if curve.largest is None:
        return _Found(None, "too few loads are valid")
    return _Found(curve.largest.ratio, rounds=min(point.rounds for point in curve.points))


# ------------------------------------------------------------------- worker processes


def _worker_memory(test: ClaimTest, analysis: Analysis) -> _Found | None:
    """Memory of each further worker process ÷ that of one worker, round by round."""
    block = usual_block(analysis, test.scenario)
    workers = {
        stack.with_its_number[1]: stack.label
        for stack in analysis.run.plan.stacks
        if stack.with_its_number and stack.with_its_number[0] == test.candidate
    }
    most = max(workers, default=0)
    if block is None or 1 not in workers or most == 1:
        return None
    cells = cells_of(analysis, block, (workers[1], workers[most]))
    invalid = [cell for cell in cells if not cell.valid]
    one, many = (_memory(analysis, block, workers[count]) for count in (1, most))
    shares = [(many[n] - one[n]) / (most - 1) / one[n] for n in sorted(one.keys() & many.keys())]
    if not shares:
        return _Found(None, "memory was not metered")
    mean, half = (
        sum(shares) / len(shares),
        stats.half_width(shares, confidence_of(analysis.run.plan, len(shares))),
    )
    return _Found(
        Estimate(mean, mean - half, mean + half),
        "; ".join(f"{cell.stack} is invalid: {cell.reason}" for cell in invalid),
        len(shares),
    )


def _memory(analysis: Analysis, block: BlockKey, stack: str) -> dict[int, int]:
    """Round -> bytes (proportional set size) of a stack's processes."""
    return {
        cell.round: cell.server.pss_bytes
        for finished in analysis.run.rounds
        for cell in finished.cells
        if cell.stack == stack
        and BlockKey(cell.scenario, cell.load) == block
        and cell.server is not None
    }


# --------------------------------------------------------------------------- capacity


def _capacities(test: ClaimTest, analysis: Analysis) -> Iterator[tuple[Capacity, Capacity]]:
    """Candidate and baseline, search by search."""
    by_stack = {
        (found.load, found.stack): found
        for found in analysis.capacities
        if found.scenario == test.scenario
    }
    for load, stack in by_stack:
        baseline = by_stack.get((load, test.baseline))
        if stack == test.candidate and baseline is not None:
            yield by_stack[load, stack], baseline


def _not_valid(*capacities: Capacity) -> str:
    return "; ".join(
        f"{found.stack} has no capacity: {found.reason}" for found in capacities if not found.valid
    )


def _capacity(test: ClaimTest, analysis: Analysis) -> _Found | None:
    for candidate, baseline in _capacities(test, analysis):
        ratio = quotient(candidate.rate_rps, baseline.rate_rps)
        rounds = min(candidate.rounds, baseline.rounds)
        if candidate.baseline == baseline.stack:  # round by round
            ratio, rounds = candidate.ratio, shared_rounds(candidate, baseline)
        elif baseline.baseline == candidate.stack:
            ratio, rounds = inverse(baseline.ratio), shared_rounds(candidate, baseline)
        return _Found(ratio, _not_valid(candidate, baseline), rounds)
    return None


def _at_share(test: ClaimTest, analysis: Analysis) -> _Found | None:
    percentile = test.metric.removeprefix("latency_").removesuffix("_ms")
    for pair in _capacities(test, analysis):
        at = [
            next((each for each in found.at_shares if each.share == test.share), None)
            for found in pair
        ]
        candidate, baseline = at
        rounds = min(found.rounds for found in pair)
        if candidate is None or baseline is None:
            return _Found(None, _not_valid(*pair) or "this share was not measured", rounds)
        overloaded = [
            found.stack for found, each in zip(pair, at, strict=True) if each and each.overloaded
        ]
        return _Found(
            quotient(candidate.latency_ms[percentile], baseline.latency_ms[percentile]),
            _not_valid(*pair) or "; ".join(f"{stack} is overloaded" for stack in overloaded),
            rounds,
        )
    return None


# ------------------------------------------------------------------- held connections


def _held_memory(test: ClaimTest, analysis: ConnectionsAnalysis) -> _Found | None:
    by_stack: dict[str, HeldMemory] = {
        each.stack: each for each in analysis.memory if each.held == test.held
    }
    candidate, baseline = by_stack.get(test.candidate), by_stack.get(test.baseline)
    if candidate is None or baseline is None:
        return None
    reasons = [f"{each.stack}: {each.reason}" for each in (candidate, baseline) if each.reason]
    figure = quotient(candidate.kib, baseline.kib)
    return _Found(figure, "; ".join(reasons), min(candidate.rounds, baseline.rounds))


def _series(analysis: ConnectionsAnalysis, held: str, stack: str) -> list[HeldSeries]:
    return [each for each in analysis.record.series if (each.held, each.stack) == (held, stack)]


def _broken(analysis: ConnectionsAnalysis, held: str, *stacks: str) -> str:
    """Which server ended or never answered."""
    return "; ".join(
        f"{each.stack}: {each.reason}"
        for each in analysis.memory
        if each.held == held and each.stack in stacks and each.broken
    )


def _held_count(test: ClaimTest, analysis: ConnectionsAnalysis) -> _Found | None:
    """The most connections that one server held ÷ the most that the other did, round by round."""
    most: list[dict[int, int]] = [
        {each.round: max((s.held for s in each.steps), default=0) for each in series}
        for stack in (test.candidate, test.baseline)
        if (series := _series(analysis, test.held, stack))
    ]
    if len(most) < 2:
        return None
    candidate, baseline = most
    rounds = sorted(candidate.keys() & baseline.keys())
    ratios = [candidate[n] / baseline[n] if baseline[n] else math.nan for n in rounds]
    broken = _broken(analysis, test.held, test.candidate, test.baseline)
    return _Found(stats.log_mean(ratios), broken, len(rounds))


def _others_served(test: ClaimTest, analysis: ConnectionsAnalysis) -> _Found | None:
    """Share of the other clients that got their reply, in the last step of each round."""
    series = _series(analysis, test.held, test.candidate)
    last = [each.steps[-1] for each in series if each.steps and each.steps[-1].visits_ms]
    if not last:
        return None
    shares = [sum(ms is not None for ms in step.visits_ms) / len(step.visits_ms) for step in last]
    mean, half = sum(shares) / len(shares), stats.half_width(shares)
    figure = Estimate(mean, max(0.0, mean - half), min(1.0, mean + half))
    if math.isnan(half):  # min and max would hide it
        figure = Estimate(mean, half, half)
    return _Found(figure, _broken(analysis, test.held, test.candidate), len(shares))


# -------------------------------------------------------------------------------- code


def _code_lines(test: ClaimTest, sources: Sources) -> _Found:
    """A ratio without noise: its interval is the figure itself."""
    try:
        ratio = lines_of(sources, test.candidate_code) / lines_of(sources, test.baseline_code)
    except (KeyError, SyntaxError, ZeroDivisionError) as error:
        return _Found(None, f"can't be counted: {error}")
    return _Found(Estimate(ratio, ratio, ratio))


OF_RUNS: Mapping[ClaimKind, Callable[[ClaimTest, Analysis], _Found | None]] = {
    ClaimKind.RATIO: _ratio,
    ClaimKind.LARGER_EFFECT: _larger_effect,
    ClaimKind.NEITHER_BETTER: _neither_better,
    ClaimKind.MOST: _most,
    ClaimKind.LARGEST_LOAD: _largest_load,
    ClaimKind.WORKER_MEMORY: _worker_memory,
    ClaimKind.CAPACITY: _capacity,
    ClaimKind.AT_SHARE: _at_share,
}
OF_CONNECTIONS: Mapping[ClaimKind, Callable[[ClaimTest, ConnectionsAnalysis], _Found | None]] = {
    ClaimKind.HELD_MEMORY: _held_memory,
    ClaimKind.HELD_COUNT: _held_count,
    ClaimKind.OTHERS_SERVED: _others_served,
}
OF_CODE: Mapping[ClaimKind, Callable[[ClaimTest, Sources], _Found | None]] = {
    ClaimKind.CODE_LINES: _code_lines,
}
