"""What a run has found so far, by the functions that make its report."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.analyse import analyse_block
from harness.analysis.capacities import capacities
from harness.analysis.comparisons import Draft
from harness.analysis.figures import RoundFigures, round_figures
from harness.analysis.percentiles import QUANTILES, SAMPLES_BEYOND, Pool, Times
from harness.models import (
    BlockPlan,
    BlockSoFar,
    CellKey,
    CellRound,
    CellSummary,
    RunRecord,
    Samples,
    StackSoFar,
)

#: Replies of which a p99 is given: ten lie beyond it.
STRETCH = round(SAMPLES_BEYOND / (1 - QUANTILES["p99"]))
#: Stretches that are kept, the latest.
_MOST_STRETCHES = 60


class SoFar:
    """Follows a run from round to round; what it has reduced to figures is not read again."""

    def __init__(self, read_samples: Callable[[CellRound], Samples]) -> None:
        """Follow a run.

        Args:
            read_samples: returns the samples of a cell and round.
        """
        self._read_samples = read_samples
        self._figures: defaultdict[CellKey, list[RoundFigures]] = defaultdict(list)
        self._known: set[tuple[CellKey, int]] = set()
        self._stretches: defaultdict[CellKey, _Stretches] = defaultdict(_Stretches)

    def update(self, run: RunRecord) -> tuple[BlockSoFar, ...]:
        """The blocks of which a round has ended since the last time, as they stand now."""
        planned = {block.key: block for block in run.blocks}
        changed = {}
        for cell in (cell for finished in run.rounds for cell in finished.cells):
            if (cell.key, cell.round) not in self._known:
                self._known.add((cell.key, cell.round))
                block = changed[cell.key.block] = planned[cell.key.block]
                if block.search is None:
                    figures = round_figures(block, cell, self._read_samples(cell))
                    self._figures[cell.key].append(figures)
                    self._stretches[cell.key].add(figures.latency_ns)
        return tuple(
            self._measured(run, block) if block.search is None else self._searched(run, block)
            for block in changed.values()
        )

    def _measured(self, run: RunRecord, block: BlockPlan) -> BlockSoFar:
        figures = {label: self._figures[block.cell(label)] for label in block.stacks}
        found = analyse_block(run, block, figures)
        # The first of several, as in a ladder, is the ratio to the baseline of the scenario.
        drafts = {
            draft.candidate: draft
            for draft in reversed(found.drafts)
            if draft.metric == block.headline
        }
        return BlockSoFar(
            key=block.key,
            rounds=max(map(len, figures.values())),
            stacks=tuple(self._stack(cell, drafts.get(cell.stack)) for cell in found.cells),
        )

    def _stack(self, cell: CellSummary, draft: Draft | None) -> StackSoFar:
        return StackSoFar(
            stack=cell.stack,
            valid=cell.valid,
            overloaded=cell.overloaded,
            throughput_rps=cell.throughput_rps.value,
            latency_p50_ms=cell.latency_ms["p50"].value,
            latency_p99_ms=cell.latency_ms["p99"].value,
            stretches_p99_ms=tuple(self._stretches[cell.key].p99_ms),
            ratio=draft.estimate if draft is not None and draft.comparable else None,
        )

    def _searched(self, run: RunRecord, block: BlockPlan) -> BlockSoFar:
        alone = replace(run, plan=replace(run.plan, blocks=(block,)), decisions=())
        return BlockSoFar(
            key=block.key,
            rounds=len({number for key, number in self._known if key.block == block.key}),
            stacks=tuple(
                StackSoFar(
                    stack=found.stack,
                    valid=found.valid,
                    overloaded=False,
                    throughput_rps=math.nan,
                    latency_p50_ms=math.nan,
                    latency_p99_ms=math.nan,
                    stretches_p99_ms=(),
                    ratio=None,
                    capacity_rps=found.rate_rps,
                )
                for found in capacities(alone, self._read_samples)
            ),
        )


class _Stretches:
    """p99 of one stretch of replies after the other; what is too short waits for the next round."""

    def __init__(self) -> None:
        self.p99_ms: list[float] = []
        self._waiting: list[Times] = []

    def add(self, latency_ns: Times) -> None:
        self._waiting.append(latency_ns)
        count = sum(map(len, self._waiting)) // STRETCH
        if count:
            stretches: Sequence[Times] = np.array_split(np.concatenate(self._waiting), count)
            self.p99_ms += [
                Pool([times]).estimates()["p99"].value for times in stretches[-_MOST_STRETCHES:]
            ]
            del self.p99_ms[:-_MOST_STRETCHES]
            self._waiting = []
