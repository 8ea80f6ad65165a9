"""What a run measures next: decided round by round, from what was measured so far.

Every decision is in the journal before the round begins, so that a run that was killed goes on
with the decision that it was carrying out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.analysis import figures, stats
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
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
class UntilPrecise:
    """Each block until its intervals are narrow enough.

    The width alone decides, never the verdict: stopping as soon as the hoped-for winner leads
    finds winners where there are none.
    """

    within: float  # ± share: 0.03 is ±3 %
    read_samples: ReadSamples
    name: str = AS_PLANNED
    _figures: dict[tuple[CellKey, int], float] = field(default_factory=dict)

    def next(self, record: RunRecord) -> Decision | None:
        """The blocks that have an interval wider than asked for."""
        wide = [block for block in record.plan.blocks if not self._is_precise(block, record)]
        reason = (
            f"{len(wide)} of {len(record.plan.blocks)} blocks are wider than ±{self.within:.1%}"
        )
        return _round_of(record, wide, reason)

    def _is_precise(self, block: BlockPlan, record: RunRecord) -> bool:
        return all(
            estimate.high <= estimate.value * (1 + self.within)  # false if there is none
            for estimate in self._estimates(block, record)
        )

    def _estimates(self, block: BlockPlan, record: RunRecord) -> list[Estimate]:
        """Of the headline metric: every comparison, or the figure of a stack that is alone."""
        of_stack = {label: self._of(block, label, record) for label in block.stacks}
        first = of_stack[block.stacks[0]]
        if len(first) < ROUNDS_FOR_A_VERDICT:
            return [Estimate(math.nan, math.nan, math.nan)]
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
class WithinTime:
    """As another pacing, but without rounds that would likely end too late."""

    pacing: Pacing
    within_s: float
    clock: Callable[[], float] = time.monotonic
    name: str = "within a time"
    _begun: list[float] = field(default_factory=list)

    def next(self, record: RunRecord) -> Decision | None:
        """The other's decision, if there is time for it; a verdict's rounds are always measured."""
        if not self._begun:
            self._begun.append(self.clock())
        done = len(record.rounds)
        elapsed_s = self.clock() - self._begun[0]
        if done >= ROUNDS_FOR_A_VERDICT and elapsed_s * (done + 1) / done > self.within_s:
            return None
        return self.pacing.next(record)


def _round_of(record: RunRecord, blocks: Sequence[BlockPlan], reason: str) -> Decision | None:
    """These blocks in drawn order; None if there are none, or no round is left."""
    number = len(record.decisions) + 1
    if number > record.plan.rounds or not blocks:
        return None
    ordered = block_order(record.plan, blocks, number)
    return Decision(number, tuple(block.key for block in ordered), reason)


def pacing_of(plan: Plan, read_samples: ReadSamples) -> Pacing:
    """The pacing that a plan asks for."""
    if plan.precision is not None:
        return UntilPrecise(plan.precision, read_samples)
    return EveryRound()
