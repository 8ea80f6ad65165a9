"""How long a run will still take: planned seconds first, then what finished rounds took.

Pure: every event carries its time, so that made-up timelines can test the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.models import ROUNDS_FOR_A_VERDICT, BlockKey, BlockPlan, Plan

#: Starting PostgreSQL, the upstream and the load process, once.
_GUESSED_SERVICES_S = 4.0
#: Preparing a round (starting servers, above all), until a round has shown how long that takes.
_GUESSED_PREPARATION_S = 4.0
#: Blocks take longer than their slices: connections open, replies are checked, samples written.
_GUESSED_PACE = 1.15
#: While anything remains, the display never says that nothing does.
_LEAST_S = 1.0


@dataclass(slots=True)
class _Mean:
    """A mean of seconds that grows with each observation."""

    total_s: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.total_s += seconds
        self.count += 1

    def value_s(self, otherwise_s: float) -> float:
        return self.total_s / self.count if self.count else otherwise_s


@dataclass(slots=True)
class _CurrentBlock:
    """The block that is being measured."""

    plan: BlockPlan
    begun_s: float
    loaded_s: float = 0.0  # in slices, as planned
    told_s: float = 0.0  # when the latest slice ended

    @property
    def share(self) -> float:
        """How much of the block's planned time is over, warm-up included."""
        if not self.loaded_s:
            return 0.0
        done_s = len(self.plan.stacks) * self.plan.mean_warmup_s + self.loaded_s
        return min(1.0, done_s / max(self.plan.seconds_per_round, done_s))


@dataclass(slots=True)
class Remaining:
    """Follows a run event by event; times are seconds of any one clock."""

    plan: Plan
    begun_s: float
    #: Where the time decides how many rounds there are: how much time; infinite where it does not.
    within_s: float = math.inf
    #: Round -> blocks that an earlier command has measured of it, for a run that is continued.
    measured: Mapping[int, Iterable[BlockKey]] = field(default_factory=dict)
    used_s: float = 0.0  # by rounds that an earlier command has measured
    _number: int = 0  # of the round that began last
    _begun_rounds: int = 0
    _ended_rounds: int = 0
    _whole_rounds: int = 0  # that are not begun
    _pending: dict[BlockKey, BlockPlan] = field(default_factory=dict)  # in the current round
    _recurring: dict[BlockKey, BlockPlan] = field(default_factory=dict)  # in each later round
    _block: _CurrentBlock | None = None
    _preparing_since_s: float | None = None
    _prepared_s: float = 0.0  # in this round so far
    _preparation: _Mean = field(default_factory=_Mean)
    _of_block: dict[BlockKey, _Mean] = field(default_factory=dict)
    _taken_s: float = 0.0  # by all finished blocks
    _planned_s: float = 0.0  # of the same blocks

    def __post_init__(self) -> None:
        """Start with every block of every round that was not measured before."""
        self._recurring = {block.key: block for block in self.plan.blocks}
        complete = [
            number for number, keys in self.measured.items() if self._recurring.keys() <= set(keys)
        ]
        self._whole_rounds = self.plan.rounds - len(complete)

    def round_started(self, at_s: float, number: int) -> None:
        """The servers of a round begin to start."""
        done = set(self.measured.get(number, ()))
        self._pending = {key: plan for key, plan in self._recurring.items() if key not in done}
        self._whole_rounds = max(0, self._whole_rounds - 1)
        self._begun_rounds += 1
        self._number = number
        self._preparing_since_s, self._prepared_s = at_s, 0.0

    def preparing(self, at_s: float) -> None:
        """Between two blocks, something else starts."""
        if self._block:
            self._end_block(at_s)
            self._preparing_since_s = at_s

    def block_started(self, at_s: float, block: BlockPlan) -> None:
        """A block's warm-up begins."""
        self._end_block(at_s)
        self._end_preparation(at_s)
        self._pending.pop(block.key, None)
        self._block = _CurrentBlock(block, at_s)

    def slice_done(self, at_s: float, seconds: float) -> None:
        """One stack had one turn, which was planned to take so many seconds."""
        if self._block:
            self._block.loaded_s += seconds
            self._block.told_s = at_s

    def round_ended(self, at_s: float) -> None:
        """A round is measured; blocks that were left out of it are not expected again."""
        self._end_block(at_s)
        self._end_preparation(at_s)
        self._preparation.add(self._prepared_s)
        self._ended_rounds += 1
        for key in self._pending:
            self._recurring.pop(key, None)
        self._pending = {}

    def seconds(self, now_s: float) -> float:
        """How long the rest will take; 0 only when no round remains."""
        if math.isfinite(self.within_s):
            return self._seconds_of_time_given(now_s)
        if self.plan.budget_s is None:
            return self._seconds_of_rounds(now_s)
        left_s = self.plan.budget_s - self.used_s - (now_s - self.begun_s)
        # Every block has its planned rounds, even if they take longer; after them, time decides.
        rounds_s = 0.0 if self._has_planned_rounds else self._seconds_of_rounds(now_s)
        return max(_LEAST_S, left_s, rounds_s)

    @property
    def _has_planned_rounds(self) -> bool:
        return self._number > self.plan.rounds

    def _seconds_of_rounds(self, now_s: float) -> float:
        """How long the planned rounds will take."""
        services_s = 0.0
        if not self._begun_rounds:
            services_s = max(0.0, _GUESSED_SERVICES_S - (now_s - self.begun_s))
        preparation_s = self._preparation_s(now_s)
        later_s = self._whole_rounds * (
            preparation_s + sum(self._block_s(block) for block in self._recurring.values())
        )
        current_s = sum(self._block_s(block) for block in self._pending.values())
        if self._block:
            current_s += self._rest_of_block_s(self._block, now_s)
        elif self._preparing_since_s is not None:
            prepared_s = self._prepared_s + now_s - self._preparing_since_s
            current_s += max(0.0, preparation_s - prepared_s)
        if not self._whole_rounds and not self._is_in_round:
            return 0.0
        return max(_LEAST_S, services_s + later_s + current_s)

    def _seconds_of_time_given(self, now_s: float) -> float:
        """The rest of the time; or of the rounds of a verdict, where those take longer."""
        elapsed_s = now_s - self.begun_s
        missing = max(0, ROUNDS_FOR_A_VERDICT - self._ended_rounds)
        verdict_s = missing * elapsed_s / self._ended_rounds if self._ended_rounds else 0.0
        return max(_LEAST_S, self.within_s - elapsed_s, verdict_s)

    def _preparation_s(self, now_s: float) -> float:
        """Of a whole round: as in finished rounds, or what this round has shown so far."""
        prepared_s = self._prepared_s
        if self._preparing_since_s is not None:
            prepared_s += now_s - self._preparing_since_s
            prepared_s = max(prepared_s, _GUESSED_PREPARATION_S)
        return self._preparation.value_s(
            prepared_s if self._begun_rounds else _GUESSED_PREPARATION_S
        )

    @property
    def _is_in_round(self) -> bool:
        return bool(self._block or self._pending or self._preparing_since_s is not None)

    def _block_s(self, block: BlockPlan) -> float:
        pace = self._taken_s / self._planned_s if self._planned_s else _GUESSED_PACE
        planned_s = block.seconds_per_round * pace
        return self._of_block.get(block.key, _Mean()).value_s(planned_s)

    def _rest_of_block_s(self, block: _CurrentBlock, now_s: float) -> float:
        """The expected time, which its own slices replace the more of them are done."""
        share = block.share
        expected_s = self._block_s(block.plan)
        if not share:
            return max(0.0, expected_s - (now_s - block.begun_s))
        whole_s = (1 - share) * expected_s + (block.told_s - block.begun_s)
        return max(0.0, (1 - share) * whole_s - (now_s - block.told_s))

    def _end_block(self, at_s: float) -> None:
        if self._block:
            block, took_s = self._block.plan, at_s - self._block.begun_s
            self._of_block.setdefault(block.key, _Mean()).add(took_s)
            self._taken_s += took_s
            self._planned_s += block.seconds_per_round
            self._block = None

    def _end_preparation(self, at_s: float) -> None:
        if self._preparing_since_s is not None:
            self._prepared_s += at_s - self._preparing_since_s
            self._preparing_since_s = None
