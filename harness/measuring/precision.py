"""When a scenario has been measured enough: decided on the width of its intervals alone.

Never on the verdict: who stops as soon as the winner is the one that was hoped for finds winners
where there are none.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

from harness.analysis import analyse as analysis
from harness.analysis import stats
from harness.analysis.analyse import Samples
from harness.models import ROUNDS_FOR_A_VERDICT, CellPlan, CellRound, Estimate, Plan


class Precision:
    """Follows a run block by block."""

    def __init__(self, plan: Plan, read_samples: Callable[[CellRound], Samples]) -> None:
        """Take a plan, and a way to read the samples of a cell and round."""
        self._wanted = plan.precision
        self._read = read_samples
        self._planned = {cell.scenario.name: cell for cell in plan.cells}
        #: (scenario, stack) -> round -> its headline figure
        self._figures: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)

    def add(self, cells: Iterable[CellRound]) -> None:
        """One block more; without a wanted precision, nothing is read."""
        if self._wanted is None:
            return
        for cell in cells:
            figure = analysis.headline(self._planned[cell.scenario], cell, self._read(cell))
            self._figures[cell.scenario, cell.stack][cell.round] = figure

    def reached(self, cell: CellPlan) -> bool:
        """Whether every interval of this scenario is narrow enough, after enough rounds."""
        if self._wanted is None:
            return False
        return all(
            estimate.high <= estimate.value * (1 + self._wanted)  # false if there is none
            for estimate in self._estimates(cell)
        )

    def _estimates(self, cell: CellPlan) -> list[Estimate]:
        """Of the headline metric: every comparison and step, or a stack alone its own figure."""
        of_stack = {one: self._figures[cell.scenario.name, one] for one in cell.stacks}
        first = of_stack[cell.stacks[0]]
        if len(first) < ROUNDS_FOR_A_VERDICT:
            return [Estimate(math.nan, math.nan, math.nan)]
        pairs = (*cell.pairs, *cell.steps)
        if not pairs:
            return [stats.log_mean(list(first.values()), stats.STOPPED_CONFIDENCE)]
        return [
            stats.log_mean(
                # A baseline that served nothing has no ratio, and no interval is narrow then.
                [figures[one] / base[one] if base[one] else math.nan for one in figures],
                stats.STOPPED_CONFIDENCE,
            )
            for base, figures in ((of_stack[a], of_stack[b]) for a, b in pairs)
        ]
