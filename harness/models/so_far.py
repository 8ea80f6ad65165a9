"""What a run has found so far, while it goes on; verdicts come with its report alone."""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.derived import Estimate
from harness.models.plan import BlockKey


@dataclass(frozen=True, slots=True)
class StackSoFar:
    """A stack of a block after the rounds that have ended; as the report would say it of them."""

    stack: str
    valid: bool  # whether every gate has passed until now
    overloaded: bool
    throughput_rps: float  # NaN where requests per second say nothing
    latency_p50_ms: float
    latency_p99_ms: float  # NaN with too few samples
    #: p99 of one stretch of replies after the other, each just long enough for a p99.
    stretches_p99_ms: tuple[float, ...]
    #: The block's headline metric ÷ that of the baseline; None where the report compares nothing.
    ratio: Estimate | None
    capacity_rps: Estimate | None = None  # of a search; NaN while no rate is known


@dataclass(frozen=True, slots=True)
class BlockSoFar:
    """A block after the rounds that have ended."""

    key: BlockKey
    rounds: int
    stacks: tuple[StackSoFar, ...]  # those that were measured, in the plan's order

    def of(self, stack: str) -> StackSoFar | None:
        """What is known of a stack; None if it was not measured yet."""
        return next((known for known in self.stacks if known.stack == stack), None)
