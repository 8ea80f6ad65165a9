"""Two stacks of a block in a metric, whichever of them was the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.saturation import threads_at_a_time
from harness.models import (
    Analysis,
    BlockKey,
    Capacity,
    CellSummary,
    Comparison,
    Estimate,
    Load,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class StackPair:
    """Candidate ÷ baseline, from one comparison or by way of a stack that both were compared with."""

    estimate: Estimate
    rounds: int
    comparisons: tuple[Comparison, ...]


def usual_block(analysis: Analysis, scenario: str) -> BlockKey | None:
    """The scenario under its usual load, if the run measured that."""
    for block in analysis.run.blocks:
        if block.scenario.name == scenario and block.load == Load(block.scenario.users):
            return block.key
    return None


def stack_pair(
    analysis: Analysis, block: BlockKey, metric: str, baseline: str, candidate: str
) -> StackPair | None:
    """Compare two stacks; None if they can't be by way of at most one other.

    By way of a third stack, the half widths of both logarithms are added. Errors of the two
    comparisons share rounds and a stack, and no correlation between them makes the true interval wider
    than that.
    """
    made = {
        (each.baseline, each.candidate): each
        for each in analysis.comparisons
        if each.block == block and each.metric == metric
    }
    direct = _direct(made, baseline, candidate)
    if direct is not None:
        return direct
    for other in dict.fromkeys(stack for pair in made for stack in pair):
        first, second = _direct(made, baseline, other), _direct(made, other, candidate)
        if first and second:
            return StackPair(
                _product(first.estimate, second.estimate),
                min(first.rounds, second.rounds),
                first.comparisons + second.comparisons,
            )
    return None


def left_idle(analysis: Analysis, block: BlockKey, stacks: Sequence[str]) -> list[str]:
    """Those of these stacks that could serve more, if there were more users.

    A stack with fewer threads than users could not: more of them would only wait longer.
    """
    run = analysis.run
    users = next(each.load.users for each in run.blocks if each.key == block)
    known = {stack.label: stack for stack in run.plan.stacks}
    return [
        cell.stack
        for cell in cells_of(analysis, block, stacks)
        if cell.limited_by_users
        and users <= (threads_at_a_time(run, known[cell.stack]) or math.inf)
    ]


def shared_rounds(one: Capacity, other: Capacity) -> int:
    """The rounds in which both stacks found a rate: those of a ratio that is taken round by round."""
    return sum(
        a is not None and b is not None
        for a, b in zip(one.round_rps, other.round_rps, strict=False)
    )


def why_unusable(analysis: Analysis, block: BlockKey, comparisons: Sequence[Comparison]) -> str:
    """Why comparisons have no ratio that says anything; empty if they have."""
    verdicts = {each.verdict for each in comparisons}
    stacks = [stack for each in comparisons for stack in (each.baseline, each.candidate)]
    cells = cells_of(analysis, block, stacks)
    if Verdict.INVALID in verdicts:
        reasons = [f"{cell.stack} is invalid: {cell.reason}" for cell in cells if not cell.valid]
        return "; ".join(reasons) or "too little was measured"
    if Verdict.OVERLOADED in verdicts:
        return "; ".join(f"{cell.stack} is overloaded" for cell in cells if cell.overloaded)
    return ""


def cells_of(analysis: Analysis, block: BlockKey, stacks: Sequence[str]) -> list[CellSummary]:
    """The cells of some stacks of a block."""
    return [cell for cell in analysis.cells if cell.key.block == block and cell.stack in stacks]


def inverse(of: Estimate) -> Estimate:
    """Baseline ÷ candidate; NaN where it can't be told."""
    if not min(of.value, of.low, of.high) > 0:
        return Estimate(math.nan, math.nan, math.nan)
    return Estimate(1 / of.value, 1 / of.high, 1 / of.low)


def quotient(candidate: Estimate, baseline: Estimate) -> Estimate:
    """Divide figures with intervals of their own; as wide as these allow."""
    return _product(candidate, inverse(baseline))


def _direct(
    made: Mapping[tuple[str, str], Comparison], baseline: str, candidate: str
) -> StackPair | None:
    """A comparison in either direction."""
    if found := made.get((baseline, candidate)):
        return StackPair(Estimate(found.ratio, found.ci_low, found.ci_high), found.rounds, (found,))
    if found := made.get((candidate, baseline)):
        estimate = inverse(Estimate(found.ratio, found.ci_low, found.ci_high))
        return StackPair(estimate, found.rounds, (found,))
    return None


def _product(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.value * other.value, one.low * other.low, one.high * other.high)
