"""Derives everything that tables, charts and the page say from a run's raw data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.capacities import capacities
from harness.analysis.cells import summarise
from harness.analysis.comparisons import Draft, compare, with_verdicts
from harness.analysis.cost import examples
from harness.analysis.curves import Pace, curves, pace
from harness.analysis.figures import RoundFigures, round_figures
from harness.analysis.maps import maps
from harness.analysis.percentiles import Pool
from harness.models import (
    Analysis,
    BlockPlan,
    CellKey,
    CellRound,
    CellSummary,
    RunRecord,
    Samples,
)


def analyse(
    run: RunRecord,
    read_samples: Callable[[CellRound], Samples],
) -> Analysis:
    """Derive summaries, gates, comparisons and verdicts of a run, be it complete or cut off.

    Args:
        run: plan and journal.
        read_samples: returns the samples of a cell and round.
    """
    summaries: list[CellSummary] = []
    drafts: list[Draft] = []
    paces: dict[CellKey, list[Pace]] = {}
    for block in run.blocks:
        if block.search is not None:
            continue  # every window has a rate of its own
        figures = {
            label: [
                round_figures(block, cell, read_samples(cell))
                for cell in _rounds_of(run, block.cell(label))
            ]
            for label in block.stacks
        }
        found = analyse_block(run, block, figures)
        summaries.extend(found.cells)
        drafts.extend(found.drafts)
        paces |= {block.cell(label): list(map(pace, rounds)) for label, rounds in figures.items()}
    comparisons = with_verdicts(drafts, run)
    mapped = maps(run, summaries, comparisons)
    searched = capacities(run, read_samples)
    return Analysis(
        run=run,
        cells=tuple(summaries),
        comparisons=comparisons,
        # A map has so many lines of loads that curves would hide it.
        curves=() if mapped else curves(run, summaries, paces),
        maps=mapped,
        idle_core_share=_idle_core_share(run),
        harness_core_share=_harness_core_share(run),
        capacities=searched,
        costings=tuple(examples(searched)),
    )


@dataclass(frozen=True, slots=True)
class BlockFindings:
    """What follows from the rounds of one block, but for the verdicts of its comparisons."""

    cells: tuple[CellSummary, ...]
    drafts: tuple[Draft, ...]


def analyse_block(
    run: RunRecord, block: BlockPlan, figures: Mapping[str, Sequence[RoundFigures]]
) -> BlockFindings:
    """Sum up the cells of a block, and compare its stacks.

    Args:
        run: plan and journal.
        block: a block that does not search for a rate.
        figures: stack -> figures of its rounds; a stack may have none yet.
    """
    stacks = {stack.label: stack for stack in run.plan.stacks}
    pools = {
        label: Pool([measured.latency_ns for measured in rounds])
        for label, rounds in figures.items()
        if rounds
    }
    cells = [
        summarise(run, block, stacks[label], figures, pools[label])
        for label in block.stacks
        if figures[label]
    ]
    valid = {cell.stack: cell.valid for cell in cells}
    overloaded = {cell.stack for cell in cells if cell.overloaded}
    drafts = [
        draft
        for contrast in block.contrasts
        if figures[contrast.baseline] and figures[contrast.candidate]
        for draft in compare(
            run,
            block,
            contrast,
            figures,
            pools,
            valid=valid[contrast.baseline] and valid[contrast.candidate],
            overloaded=bool({contrast.baseline, contrast.candidate} & overloaded),
        )
    ]
    return BlockFindings(tuple(cells), tuple(drafts))


def _rounds_of(run: RunRecord, key: CellKey) -> list[CellRound]:
    return [cell for finished in run.rounds for cell in finished.cells if cell.key == key]


def _idle_core_share(run: RunRecord) -> float:
    """The largest share of a core that an idle stack used, over all blocks."""
    return max(
        (
            share
            for finished in run.rounds
            for block in finished.blocks
            for share in block.idle_core_share.values()
        ),
        default=0.0,
    )


def _harness_core_share(run: RunRecord) -> float:
    """The largest share of a core that the harness itself used during the slices of a block."""
    return max(
        (
            block.roles["harness"].cpu_s / block.wall_s
            for finished in run.rounds
            for block in finished.blocks
            if "harness" in block.roles and block.wall_s
        ),
        default=0.0,
    )
