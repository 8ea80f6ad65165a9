"""What a run measures next: decided round by round, from what was measured so far.

Every decision is in the journal before the round begins, so that a run that was killed goes on
with the decision that it was carrying out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.analysis import figures, looks, stats
from harness.analysis.analyse import analyse
from harness.analysis.fail_ifs import SavedRun, judge
from harness.analysis.maps import near_line
from harness.measuring.saved import saved_run
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    BlockKey,
    BlockPlan,
    CellKey,
    CellRound,
    Decision,
    Estimate,
    Plan,
    RunRecord,
    Samples,
)
from harness.planning.plan import block_order

ReadSamples = Callable[[CellRound], Samples]


#: The pacing that follows from a plan alone, so that it can be made again when a run is resumed.
AS_PLANNED = "as planned"


class Pacing(Protocol):
    """Decides what the next round measures."""

    @property
    def name(self) -> str:
        """What run.json calls it."""

    def next(self, record: RunRecord) -> Decision | None:
        """The next round, given all rounds so far, which are complete; None: the run is over."""


@dataclass(frozen=True, slots=True)
class EveryRound:
    """Every block of the plan in every round, as many rounds as are planned."""

    name: str = AS_PLANNED

    def next(self, record: RunRecord) -> Decision | None:
        """All blocks, until the plan's rounds are measured."""
        return _round_of(record, record.plan.blocks, "every block in every round")


@dataclass(frozen=True, slots=True)
class Widths:
    """How wide the intervals of a block are beside a wanted width.

    The width alone may decide what is measured, never the verdict: stopping as soon as the
    hoped-for winner leads finds winners where there are none.
    """

    within: float  # ± share: 0.03 is ±3 %
    read_samples: ReadSamples
    _figures: dict[tuple[CellKey, int], float] = field(default_factory=dict)

    def of(self, block: BlockPlan, record: RunRecord) -> float:
        """Half the widest interval ÷ half the wanted one, as logarithms.

        Infinite until there are rounds enough, NaN if a stack served nothing in one of them.
        """
        widths = [
            (math.log(estimate.high) - math.log(estimate.value)) / math.log1p(self.within)
            for estimate in self.estimates(block, record)
        ]
        return math.nan if any(map(math.isnan, widths)) else max(widths, default=math.inf)

    def estimates(self, block: BlockPlan, record: RunRecord) -> list[Estimate]:
        """Of the headline metric: every comparison, or the figure of a stack that is alone."""
        of_stack = {label: self._of(block, label, record) for label in block.stacks}
        first = of_stack[block.stacks[0]]
        if len(first) < ROUNDS_FOR_A_VERDICT:
            return []
        if not block.contrasts:
            return [stats.log_mean(list(first.values()), stats.STOPPED_CONFIDENCE)]
        return [
            stats.log_mean(
                # A baseline that served nothing has no ratio, and no interval is narrow then.
                [
                    of_stack[contrast.candidate][number] / base if base else math.nan
                    for number, base in of_stack[contrast.baseline].items()
                ],
                stats.STOPPED_CONFIDENCE,
            )
            for contrast in block.contrasts
        ]

    def _of(self, block: BlockPlan, label: str, record: RunRecord) -> dict[int, float]:
        """Round -> the stack's headline figure."""
        found = {}
        for cell in (cell for finished in record.rounds for cell in finished.cells):
            if cell.key != block.cell(label):
                continue
            known = (cell.key, cell.round)
            if known not in self._figures:
                self._figures[known] = figures.headline(block, cell, self.read_samples(cell))
            found[cell.round] = self._figures[known]
        return found


@dataclass(frozen=True, slots=True)
class UntilPrecise:
    """Each block until its intervals are narrow enough, but no more rounds than are planned."""

    widths: Widths
    name: str = AS_PLANNED

    def next(self, record: RunRecord) -> Decision | None:
        """The blocks that have an interval wider than asked for."""
        blocks = record.plan.blocks
        # What has no width, because a stack served nothing, is not precise.
        wide = [block for block in blocks if not self.widths.of(block, record) <= 1]
        reason = f"{len(wide)} of {len(blocks)} blocks are wider than ±{self.widths.within:.1%}"
        return _round_of(record, wide, reason)


@dataclass(frozen=True, slots=True)
class WhereWidest:
    """The planned rounds of every block; then, as long as the time lasts, where it narrows most.

    A further round of a block that has had n takes 1 ÷ (n + 1) off the square of its width. What
    that is beside the wanted width, for each second that it costs, decides which blocks the next
    round has: the best one, and all others that bring more than the round would without them. A
    round as such costs time too, for starts, and that is why it has more than the best one.

    The time that was used is the journal's, so that a run that is resumed has no more of it.
    """

    widths: Widths
    within_s: float
    name: str = AS_PLANNED

    def next(self, record: RunRecord) -> Decision | None:
        """Every block, or the blocks that bring most; None when all are precise or time is up."""
        plan = record.plan
        if len(record.decisions) < plan.rounds:
            return _decided(record, plan.blocks, f"every block in the first {plan.rounds} rounds")
        blocks = self._near_line(record) if plan.near_line else plan.blocks
        width = {block.key: self.widths.of(block, record) for block in blocks}
        # Without a width there is none after another round either: a stack served nothing in one.
        wide = [block for block in blocks if width[block.key] > 1]
        used_s, taken_s = used_seconds(record), _seconds_of_blocks(record)
        own_s = (used_s - sum(map(sum, taken_s.values()))) / len(record.rounds)
        costs_s = {key: sum(took_s) / len(took_s) for key, took_s in taken_s.items()}
        gain = {block.key: width[block.key] ** 2 / (len(taken_s[block.key]) + 1) for block in wide}
        chosen: list[BlockPlan] = []
        brings, takes_s = 0.0, max(0.0, own_s)
        for block in sorted(wide, key=lambda block: -gain[block.key] / costs_s[block.key]):
            key = block.key
            if used_s + takes_s + costs_s[key] > self.within_s:
                continue
            if chosen and gain[key] / costs_s[key] < brings / takes_s:
                break
            chosen.append(block)
            brings, takes_s = brings + gain[key], takes_s + costs_s[key]
        where = " near the line" if plan.near_line else ""
        reason = (
            f"{len(wide)} of {len(blocks)} blocks{where} are wider than ±{self.widths.within:.1%}; "
            f"of these, {len(chosen)} narrow most for their time; {used_s:.0f} of "
            f"{self.within_s:.0f} s are used"
        )
        return _decided(record, chosen, reason)

    def _near_line(self, record: RunRecord) -> tuple[BlockPlan, ...]:
        """The blocks near the line where the winner changes, as the planned rounds show it.

        What further rounds find must not decide which blocks have further rounds: stopping as soon
        as there is a winner finds winners where there are none.
        """
        plan = record.plan
        first = dataclasses.replace(record, rounds=record.rounds[: plan.rounds])
        near = near_line({block.key: self.widths.estimates(block, first) for block in plan.blocks})
        return tuple(block for block in plan.blocks if block.key in near)


@dataclass(frozen=True, slots=True)
class UntilDecided:
    """The planned rounds of every block; then those whose promises are not decided yet.

    Verdicts decide here what is measured, which widths alone do elsewhere. That is sound because the
    run looks at them after few numbers of rounds, and every look has its own share of the error: see
    harness.analysis.looks. Between two looks, rounds measure what the last one has left.
    """

    read_samples: ReadSamples
    within_s: float
    saved: SavedRun | None = None  # what ratios are to; None: to the run's own baseline
    name: str = AS_PLANNED

    def next(self, record: RunRecord) -> Decision | None:
        """Every block, or those that have a promise to decide; None without any, or time for it."""
        plan, done = record.plan, len(record.decisions)
        if done < plan.rounds:
            return _decided(record, plan.blocks, f"every block in the first {plan.rounds} rounds")
        open_now = self._undecided(record) if looks.is_look(done, plan.rounds) else None
        keys = record.decisions[-1].blocks if open_now is None else open_now
        blocks = [block for block in plan.blocks if block.key in keys]
        used_s, taken_s = used_seconds(record), _seconds_of_blocks(record)
        own_s = (used_s - sum(map(sum, taken_s.values()))) / len(record.rounds)
        takes_s = max(0.0, own_s) + sum(
            sum(taken_s[block.key]) / len(taken_s[block.key]) for block in blocks
        )
        if used_s + takes_s > self.within_s:
            return None
        look = looks.look_of(done, plan.rounds)
        reason = (
            f"promises of {len(blocks)} of {len(plan.blocks)} blocks are not decided at look {look}; "
            f"{used_s:.0f} of {self.within_s:.0f} s are used"
        )
        return _decided(record, blocks, reason)

    def _undecided(self, record: RunRecord) -> set[BlockKey]:
        """Blocks with a promise that further rounds may decide."""
        judged = judge(record.plan.fail_ifs, analyse(record, self.read_samples), self.saved)
        return {BlockKey(each.scenario, each.load) for each in judged if each.is_open}


@dataclass(frozen=True, slots=True)
class WithinTime:
    """As another pacing, but without rounds that would likely end too late."""

    pacing: Pacing
    within_s: float
    name: str = "within a time"

    def next(self, record: RunRecord) -> Decision | None:
        """The other's decision, if there is time for it; a verdict's rounds are always measured."""
        done = len(record.rounds)
        if (
            done >= ROUNDS_FOR_A_VERDICT
            and used_seconds(record) * (done + 1) / done > self.within_s
        ):
            return None
        return self.pacing.next(record)


def used_seconds(record: RunRecord) -> float:
    """How long all rounds took, as the journal knows it."""
    return sum(finished.took_s for finished in record.rounds)


def _seconds_of_blocks(record: RunRecord) -> dict[BlockKey, list[float]]:
    """Block -> how long it took in each of its rounds."""
    took_s: dict[BlockKey, list[float]] = {}
    for usage in (usage for finished in record.rounds for usage in finished.blocks):
        # Nothing takes no time at all; a made-up round might.
        took_s.setdefault(usage.key, []).append(max(usage.took_s, 1e-3))
    return took_s


def _round_of(record: RunRecord, blocks: Sequence[BlockPlan], reason: str) -> Decision | None:
    """These blocks in drawn order; None if there are none, or no round is left."""
    return _decided(record, blocks, reason) if len(record.decisions) < record.plan.rounds else None


def _decided(record: RunRecord, blocks: Sequence[BlockPlan], reason: str) -> Decision | None:
    """A further round of these blocks, in drawn order; None if there are none."""
    if not blocks:
        return None
    number = len(record.decisions) + 1
    ordered = block_order(record.plan, blocks, number)
    return Decision(number, tuple(block.key for block in ordered), reason)


def pacing_of(plan: Plan, read_samples: ReadSamples) -> Pacing:
    """The pacing that a plan asks for."""
    if looks.looks_again(plan) and plan.budget_s is not None:
        saved = saved_run(Path(plan.against)) if plan.against else None
        return UntilDecided(read_samples, plan.budget_s, saved)
    if plan.precision is None:
        return EveryRound()
    widths = Widths(plan.precision, read_samples)
    return UntilPrecise(widths) if plan.budget_s is None else WhereWidest(widths, plan.budget_s)
